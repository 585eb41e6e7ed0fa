import type { Job } from '../api/types';
import { runLooks, type Look } from '../plots/palette';

/** A job among others: its label and how it is drawn. */
export interface Run extends Look {
  id: string;
  /** The name of the job. The first digits of its id follow where another job has the same name. */
  label: string;
  job: Job;
}

export function runsOf(jobs: readonly Job[]): Run[] {
  const looks = runLooks(jobs.map(({ id }) => id));
  return jobs.map((job, place) => {
    const alone = jobs.filter(({ name }) => name === job.name).length === 1;
    return { id: job.id, label: alone ? job.name : `${job.name} (${job.id.slice(0, 6)})`, ...looks[place]!, job };
  });
}

import type { ListedJob } from '../api/types';

/** The jobs of a row: itself, or all that differ from it by their seed alone. */
export const idsOf = ({ id, runs }: Pick<ListedJob, 'id' | 'runs'>): string[] => runs?.map((run) => run.id) ?? [id];

/** Seconds from the start of a job to its end, or to now while it runs. Null before it begins. */
export function spent({ started_at, finished_at }: Pick<ListedJob, 'started_at' | 'finished_at'>, now = Date.now()): number | null {
  return started_at === null ? null : ((finished_at === null ? now : Date.parse(finished_at)) - Date.parse(started_at)) / 1000;
}

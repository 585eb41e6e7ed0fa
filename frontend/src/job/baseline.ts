import type { Job, JobComparison } from '../api/types';

/** Jobs that were evaluated on the same data as `job`. Of equal names, each has the first digits of its id. */
export function baselineChoices(jobs: readonly Job[], job: Job): { id: string; name: string }[] {
  const evaluatedOn = ({ dataset_id, evaluation_dataset_id }: Job) => evaluation_dataset_id ?? dataset_id;
  const others = jobs.filter((other) => other.id !== job.id && evaluatedOn(other) === evaluatedOn(job));
  return others.map(({ id, name }) => {
    const alone = others.filter((other) => other.name === name).length === 1 && name !== job.name;
    return { id, name: alone ? name : `${name} (${id.slice(0, 6)})` };
  });
}

/** The baseline's accuracies by class index. Null where the classes differ, or are too many. */
export function baselineValues({ settings }: JobComparison): (number | null)[] | null {
  return settings[0]?.classes?.map(({ mean }) => mean) ?? null;
}

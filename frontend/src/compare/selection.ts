import { root } from '../root';

/** The fewest and the most jobs that can be compared at once. */
export const FEWEST_JOBS = 2;
export const MOST_JOBS = 20;

/** The address of a comparison. It can be shared. */
export function compareHref(ids: readonly string[]): string {
  return `${root}/compare?${new URLSearchParams(ids.map((id) => ['job_id', id]))}`;
}

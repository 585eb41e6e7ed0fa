import type { Job } from '../api/types';
import { isFinal } from '../status';

type Progressing = Pick<Job, 'status' | 'progress'>;

/** Optimiser steps that a job has taken; while it runs, those that it will take. Null before it begins. */
export function stepsOf({ status, progress }: Progressing): number | null {
  const steps = isFinal(status) ? progress.step : progress.steps;
  return steps || null;
}

/** The places of the jobs with the most and the fewest steps. Null where all take equally many. */
export function stepGap(jobs: readonly Progressing[]): { most: number; fewest: number; gap: number } | null {
  const known = jobs.map((job, place) => ({ place, steps: stepsOf(job) })).filter((job): job is { place: number; steps: number } => job.steps !== null);
  if (!known.length) return null;
  const most = known.reduce((a, b) => (b.steps > a.steps ? b : a));
  const fewest = known.reduce((a, b) => (b.steps < a.steps ? b : a));
  const gap = most.steps - fewest.steps;
  return gap === 0 ? null : { most: most.place, fewest: fewest.place, gap };
}

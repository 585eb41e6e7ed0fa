import type { Run } from './runs';

/** Runs whose picks can be compared: they pick from a pool. */
export function pickingRuns(runs: readonly Run[]): Run[] {
  return runs.filter(({ job }) => job.ood_pool_id !== null && !['none', 'idfill'].includes(String(job.config.sampler)));
}

/** The two runs to compare: those asked for, or the first two that have one pool. */
export function chosenPair(runs: readonly Run[], first: string | null, second: string | null): [Run, Run] | null {
  const a = runs.find(({ id }) => id === first) ?? runs.find((run) => runs.some((other) => onePool(run, other))) ?? runs[0];
  const others = runs.filter((run) => run !== a);
  const b = others.find(({ id }) => id === second) ?? others.find((run) => a && onePool(a, run)) ?? others[0];
  return a && b ? [a, b] : null;
}

function onePool(a: Run, b: Run): boolean {
  return a.id !== b.id && a.job.ood_pool_id === b.job.ood_pool_id;
}

import { expect, test } from 'vitest';
import type { Experiment, ExperimentRun } from '../api/types';
import { canCancel, canResume, cellsOf, columnsOf, differingSettings, shareOf } from './grid';

const progress = { epoch: 0, epochs: 2, step: 3, steps: 12, images_per_second: null, eta_seconds: null };
const run = (arm: string, dataset_id: string, seed: number, status: ExperimentRun['status'] = 'running'): ExperimentRun => ({
  arm, dataset_id, seed, status, job_id: status && `${arm} ${dataset_id} ${seed}`, progress: status && progress, error: null,
});

test('every run is in the column of its data set and seed', () => {
  const columns = columnsOf({ dataset_ids: ['d', 'e'], seeds: [5, 0] });
  expect(columns.map(({ dataset, seed }) => `${dataset}${seed}`)).toEqual(['d5', 'd0', 'e5', 'e0']);
  const jobs = [run('a', 'e', 0), run('b', 'd', 5), run('a', 'd', 0)];
  expect(cellsOf(jobs, 'a', columns).map((cell) => cell?.job_id)).toEqual([undefined, 'a d 0', undefined, 'a e 0']);
});

test('only a run that is under way has a share', () => {
  expect(shareOf(run('a', 'd', 0))).toBe(0.25);
  expect(shareOf({ ...run('a', 'd', 0), progress: { ...progress, steps: 0 } })).toBe(0);
  for (const status of ['queued', 'succeeded', 'failed', null] as const) expect(shareOf(run('a', 'd', 0, status))).toBeNull();
});

test('what waits can be cancelled, and what ended without a result resumed', () => {
  const of = (...statuses: ExperimentRun['status'][]) => ({ jobs: statuses.map((status, seed) => run('a', 'd', seed, status)), arms: [] }) as unknown as Experiment;
  expect([of('queued', 'succeeded'), of('succeeded'), of('cancelling')].map(canCancel)).toEqual([true, false, false]);
  expect([of('queued', 'succeeded'), of('failed'), of(null), of('cancelled'), of('cancelled', 'cancelling')].map(canResume)).toEqual([false, true, true, true, false]);
});

test('only settings that differ are listed, with a gap where an arm reads none', () => {
  const configs = [{ sampler: 'none', width: 4, seed: 0 }, { sampler: 'colt', width: 4, seed: 1, top_k: 10 }, { sampler: 'colt', width: 4, top_k: 20 }, null];
  expect(differingSettings(configs)).toEqual([
    ['sampler', ['none', 'colt', 'colt', undefined]],
    ['top_k', [undefined, 10, 20, undefined]],
  ]);
  expect(differingSettings(configs.slice(0, 2))).toEqual([['sampler', ['none', 'colt']]]);
});

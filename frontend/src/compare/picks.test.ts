import { expect, test } from 'vitest';
import { chosenPair, pickingRuns } from './picks';
import type { Run } from './runs';

const run = (id: string, ood_pool_id: string | null, sampler = 'colt') => ({ id, job: { ood_pool_id, config: { sampler } } }) as unknown as Run;

test('runs without a pool, and those that repeat training images, pick nothing', () => {
  const runs = [run('a', 'pool'), run('b', null, 'none'), run('c', 'pool', 'none'), run('d', 'pool', 'idfill'), run('e', 'pool', 'random')];
  expect(pickingRuns(runs).map(({ id }) => id)).toEqual(['a', 'e']);
});

test('the first two runs of one pool, or those that were asked for', () => {
  const runs = [run('a', 'one'), run('b', 'other'), run('c', 'other'), run('d', 'one')];
  const pair = (first: string | null, second: string | null) => chosenPair(runs, first, second)?.map(({ id }) => id);
  expect(pair(null, null)).toEqual(['a', 'd']);
  expect(pair('b', null)).toEqual(['b', 'c']);
  expect(pair('c', 'b')).toEqual(['c', 'b']);
  expect(pair('b', 'b')).toEqual(['b', 'c']);
  expect(chosenPair([run('a', 'one')], null, null)).toBeNull();
});

import { expect, test } from 'vitest';
import type { OodImage } from '../api/types';
import { why } from './why';

const CHOOSING = { sampler: 'colt', summary: 'Hard images.', candidates: false, stopped: false };
const image = (selected: boolean, cluster_rank: number, budget = 50): OodImage => ({
  index: 7, tailness: -0.1, cluster: 2, similarity: 0.834, selected, selected_rounds: [], round: 4, rounds: [],
  standing: { percentile: 0.9, cluster_rank, cluster_size: 1812, budget },
});

test('a pick has its rank and the budget of its cluster', () => {
  expect(why(image(true, 12), CHOOSING)).toBe(
    'Round 4 picked it. Of the 1,812 pool images nearest to cluster 2, it is number 12 by similarity to the centre (cosine 0.83). Cluster 2 could pick 50.',
  );
  expect(why(image(true, 60), CHOOSING)).toContain('Clusters pick in turn');
});

test('what was not picked has the reason, as far as it is known', () => {
  expect(why(image(false, 51), CHOOSING)).toMatch(/^Round 4 did not pick it.*number 51 .*could pick 50\.$/);
  expect(why(image(false, 3), CHOOSING)).toContain('its budget also went to images');
  expect(why(image(false, 3), { ...CHOOSING, candidates: true })).toContain('estimates');
  expect(why(image(false, 3), { ...CHOOSING, sampler: 'spread', stopped: true })).toContain('stopped early');
  expect(why(image(false, 3, 0), CHOOSING)).toBe('Round 4 did not pick it: cluster 2, the nearest, had no budget.');
});

test('other samplers do not rank by cluster', () => {
  expect(why(image(true, 12), { ...CHOOSING, sampler: 'random' })).toContain('at random');
  expect(why(image(false, 1), { ...CHOOSING, sampler: 'mak' })).toBe('Round 4 did not pick it, by another rule than tailness. Hard images.');
});

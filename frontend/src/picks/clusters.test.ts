import { expect, test } from 'vitest';
import { fewStory, tailFirst, topLifts } from './clusters';

test('the classes with the highest lift, of those above that of the data', () => {
  expect(topLifts([1.5, 0.2, 4, null, 2.5], ['a', 'b', 'c', 'd'], 2)).toEqual([
    { name: 'c', lift: 4 },
    { name: '4', lift: 2.5 },
  ]);
});

test('a cluster as mixed as the data has none', () => expect(topLifts([1, 1, 0.9], ['a', 'b', 'c'])).toEqual([]));

test('the Few share comes with the base rate', () => {
  expect(fewStory(0.041, 0.0216)).toBe('Few 4.1 %, 1.9 times the base rate');
  expect(fewStory(0, 0)).toBe('Few 0.0 %');
  expect(fewStory(null, 0.1)).toBeNull();
});

test('the most tail-like cluster comes first, and an empty one last', () => {
  const cluster = (tailness: number | null) => ({ size: 1, tailness, weight: 0, budget: 0, class_counts: null, few_share: null, lift: null });
  expect(tailFirst({ clusters: [cluster(-0.5), cluster(null), cluster(-0.1)] }).map(({ index }) => index)).toEqual([2, 0, 1]);
});

import { expect, test } from 'vitest';
import { sampleOf } from './sample';

test('a draw is of different images from all of the pool, and the same each time', () => {
  const drawn = sampleOf(50_000, 96, 1);
  expect(new Set(drawn).size).toBe(96);
  expect(drawn).toEqual(sampleOf(50_000, 96, 1));
  expect(drawn).not.toEqual(sampleOf(50_000, 96, 2));
  expect(drawn.filter((index) => index < 25_000).length).toBeGreaterThan(30);
  expect(drawn.filter((index) => index < 25_000).length).toBeLessThan(66);
  expect(Math.max(...drawn)).toBeLessThan(50_000);
});

test('all of a small pool is shown', () => {
  expect(sampleOf(3, 96, 5)).toEqual([0, 1, 2]);
  expect(sampleOf(0, 96, 1)).toEqual([]);
});

import { expect, test } from 'vitest';
import { BOUND_NAMES, levelOf, levelPaths } from './heat';

test.each([
  [0, 0],
  [0.3, 1],
  [0.7, 2],
  [1, 3],
  [1.5, 4],
  [3, 5],
  [4, 6],
  [1000, 6],
])('a ratio of %d has colour %d', (ratio, level) => expect(levelOf(ratio)).toBe(level));

test('a factor and its inverse are equally far from the middle', () => {
  for (const factor of [1.1, 1.3, 1.9, 2.5, 3.9, 5]) expect(levelOf(factor) + levelOf(1 / factor)).toBe(BOUND_NAMES.length);
});

test('cells of one colour are one path, and a missing value is none', () => {
  const paths = levelPaths([
    [null, 1],
    [5, null],
  ]);
  expect(paths[3]).toBe('M1 0h1v1h-1z');
  expect(paths[6]).toBe('M0 1h1v1h-1z');
  expect(paths.filter(Boolean)).toHaveLength(2);
});

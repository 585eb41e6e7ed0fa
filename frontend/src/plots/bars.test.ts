import { expect, test } from 'vitest';
import { ticks } from './bars';

test.each([
  [1, [0, 0.2, 0.4, 0.6, 0.8, 1]],
  [4500, [0, 1000, 2000, 3000, 4000]],
  [7, [0, 2, 4, 6]],
  [0, [0]],
])('round steps up to %d', (top, expected) => {
  expect(ticks(top)).toEqual(expected);
});

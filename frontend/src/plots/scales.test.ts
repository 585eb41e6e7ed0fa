import { expect, test } from 'vitest';
import { domainOf, lineWithin, place, powersOfTen, ticksWithin } from './scales';

test('an axis has room around its values', () => {
  expect(domainOf([0, 10], 0.1)).toEqual([-1, 11]);
  expect(domainOf([])).toEqual([0, 1]);
  const [low, high] = domainOf([-3, -3]);
  expect(low).toBeLessThan(-3);
  expect(high).toBeGreaterThan(-3);
  expect(domainOf([0])).toEqual([-1, 1]);
});

test.each([
  [0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]],
  [-2.5, -0.2, [-2.5, -2, -1.5, -1, -0.5]],
  [-3, 3, [-2, 0, 2]],
  [0, 4500, [0, 1000, 2000, 3000, 4000]],
  [2, 2, [2]],
])('round steps from %d to %d', (low, high, expected) => {
  expect(ticksWithin([low, high])).toEqual(expected);
});

test('a value is placed in proportion, also on an axis that runs upwards', () => {
  expect(place(1, [0, 4], 0, 100)).toBe(25);
  expect(place(1, [0, 4], 200, 0)).toBe(150);
});

test('a fitted line ends where the axes do', () => {
  expect(lineWithin(1, 0, [0, 2], [0, 1])).toEqual({ from: [0, 0], to: [1, 1] });
  expect(lineWithin(-2, 1, [0, 1], [0, 2])).toEqual({ from: [0, 1], to: [0.5, 0] });
  expect(lineWithin(0, 0.5, [0, 1], [0, 1])).toEqual({ from: [0, 0.5], to: [1, 0.5] });
  expect(lineWithin(0, 5, [0, 1], [0, 1])).toBeNull();
  expect(lineWithin(1, 5, [0, 1], [0, 1])).toBeNull();
});

test('a logarithmic axis has powers of ten, and more between them where they are few', () => {
  expect(powersOfTen(12_000)).toEqual([1, 10, 100, 1000, 10_000]);
  expect(powersOfTen(60)).toEqual([1, 2, 5, 10, 20, 50]);
  expect(powersOfTen(1)).toEqual([1]);
});

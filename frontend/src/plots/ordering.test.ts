import { expect, test } from 'vitest';
import { groupBands, groupsByCount, headToTail } from './ordering';

test('most training images first, ties by class index', () => {
  expect(headToTail([5, 90, 5, 200, 90])).toEqual([3, 1, 4, 0, 2]);
});

test('bands follow the order, not the class indices', () => {
  const order = headToTail([1, 2, 3, 4]);
  expect(groupBands(order, { many: [3], medium: [1, 2], few: [0] })).toEqual([
    { name: 'many', first: 0, last: 0 },
    { name: 'medium', first: 1, last: 2 },
    { name: 'few', first: 3, last: 3 },
  ]);
});

test('a group of no class has no band', () => {
  expect(groupBands([0, 1], { many: [0], medium: [], few: [1] }).map(({ name }) => name)).toEqual(['many', 'few']);
});

test('thresholds themselves are medium', () => {
  expect(groupsByCount([101, 100, 20, 19], { low: 20, high: 100 })).toEqual({ many: [0], medium: [1, 2], few: [3] });
});

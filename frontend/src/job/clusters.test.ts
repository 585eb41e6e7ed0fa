import { expect, test } from 'vitest';
import { topLifts } from './clusters';

test('the classes with the highest lift, of those above that of the data', () => {
  expect(topLifts([1.5, 0.2, 4, null, 2.5], ['a', 'b', 'c', 'd'], 2)).toEqual([
    { name: 'c', lift: 4 },
    { name: '4', lift: 2.5 },
  ]);
});

test('a cluster as mixed as the data has none', () => expect(topLifts([1, 1, 0.9], ['a', 'b', 'c'])).toEqual([]));

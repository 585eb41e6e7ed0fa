import { expect, test } from 'vitest';
import { topClasses } from './clusters';

test('the largest classes with their shares', () => {
  expect(topClasses([1, 0, 6, 3], ['a', 'b', 'c', 'd'], 2)).toEqual([
    { name: 'c', share: 0.6 },
    { name: 'd', share: 0.3 },
  ]);
});

test('an empty cluster has none', () => expect(topClasses([0, 0], ['a', 'b'])).toEqual([]));

import { expect, test } from 'vitest';
import { binsWithin, boundsOf } from './brush';

const EDGES = [0, 0.25, 0.5, 0.75, 1];

test('a stretch of bins in either direction becomes bounds, and back', () => {
  for (const [from, to] of [[1, 2], [2, 1]] as const) expect(boundsOf(EDGES, from, to)).toEqual({ min: 0.25, max: 0.75 });
  expect(boundsOf(EDGES, -4, 9)).toEqual({ min: 0, max: 1 });
  expect(boundsOf([], 0, 0)).toBeNull();
  expect(binsWithin(EDGES, '0.25', '0.75')).toEqual([1, 2]);
  expect(binsWithin(EDGES, '', '0.5')).toEqual([0, 1]);
  expect(binsWithin(EDGES, '', '')).toEqual([0, 3]);
});

test('bounds outside of all bins leave the whole', () => expect(binsWithin(EDGES, '7', '')).toEqual([0, 3]));

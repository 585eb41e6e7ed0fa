import { expect, test } from 'vitest';
import { nearest } from './points';

const POINTS = [
  { x: 0, y: 0 },
  { x: 10, y: 0 },
];

test('the nearest point, if it is near', () => {
  expect(nearest(POINTS, 7, 1, 5)).toBe(1);
  expect(nearest(POINTS, 2, 2, 5)).toBe(0);
  expect(nearest(POINTS, 5, 40, 5)).toBeUndefined();
  expect(nearest([], 0, 0, 5)).toBeUndefined();
});

test('of two at one place the one drawn on top', () => {
  expect(nearest([...POINTS, { x: 10, y: 0 }], 10, 1, 5)).toBe(2);
});

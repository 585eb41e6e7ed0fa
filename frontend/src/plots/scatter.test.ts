import { expect, test } from 'vitest';
import { gridOf, nearestIn, nearestTo, within } from './scatter';

const grid = (points: [number, number][]) => gridOf(Float64Array.from(points, ([x]) => x), Float64Array.from(points, ([, y]) => y), 100, 60);

test('the grid finds what a search through all points finds', () => {
  let seed = 1;
  const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647;
  const points = Array.from({ length: 500 }, (): [number, number] => [100 * random(), 60 * random()]);
  const made = grid(points);
  expect([...made.order].sort((a, b) => a - b)).toEqual(points.map((_, place) => place));
  for (let turn = 0; turn < 200; turn += 1) {
    const [x, y] = [130 * random() - 15, 90 * random() - 15];
    const away = points.map(([px, py]) => (px - x) ** 2 + (py - y) ** 2);
    const best = Math.min(...away);
    expect(nearestIn(made, x, y, 16)).toBe(best < 256 ? away.indexOf(best) : undefined);
  }
});

test('of points at one place, the upper one is found', () => {
  expect(nearestIn(grid([[5, 5], [5, 5], [50, 50]]), 6, 5, 16)).toBe(1);
  expect(nearestIn(grid([]), 6, 5, 16)).toBeUndefined();
});

test('a lasso holds what lies inside it, also where it is dented', () => {
  const made = grid([[10, 10], [50, 30], [90, 50], [50, 5]]);
  expect(within(made, [[0, 0], [100, 0], [100, 60], [0, 60]])).toEqual([0, 1, 2, 3]);
  expect(within(made, [[0, 0], [50, 20], [100, 0], [100, 60], [0, 60]])).toEqual([0, 1, 2]);
  expect(within(made, [[0, 0], [100, 60]])).toEqual([]);
});

test('the nearest to a point begin with it', () => {
  expect(nearestTo(grid([[10, 10], [50, 30], [12, 10], [10, 10]]), 3, 3)).toEqual([3, 0, 2]);
});

import { expect, test } from 'vitest';
import { looksOf, rampColor, rankShares, runColor, runLooks } from './palette';

test('a run keeps its colour', () => {
  expect(runColor('5f0c1e5e')).toBe(runColor('5f0c1e5e'));
});

test('runs spread over all colours', () => {
  const colors = new Set(Array.from({ length: 200 }, (_, i) => runColor(`job-${i}`)));
  expect(colors.size).toBe(5);
});

test('runs side by side look different, in whatever order they come', () => {
  const ids = Array.from({ length: 20 }, (_, i) => `job${i}`);
  const looks = runLooks(ids);
  expect(new Set(looks.map(({ color, dash }) => `${color} ${dash}`)).size).toBe(20);
  expect(new Set(looks.map(({ color, shape }) => `${color} ${shape}`)).size).toBe(20);
  expect(runLooks([...ids].reverse())).toEqual([...looks].reverse());
  for (let first = 0; first < 16; first += 1) {
    expect(new Set(runLooks(ids.slice(first, first + 5)).map(({ color }) => color)).size).toBe(5);
  }
  expect(runLooks(['job0'])[0]!.color).toBe(runColor('job0'));
});

test('arms look different, and alike when others are added', () => {
  const looks = looksOf(20);
  expect(new Set(looks.map(({ color, shape }) => `${color} ${shape}`)).size).toBe(20);
  expect(looks.slice(0, 3)).toEqual(looksOf(3));
});

test('the ramp ends in its two colours and stays within them', () => {
  expect(rampColor(0)).toBe('rgb(86 180 233)');
  expect(rampColor(1)).toBe('rgb(213 94 0)');
  expect(rampColor(-1)).toBe(rampColor(0));
  expect(rampColor(2)).toBe(rampColor(1));
});

test('ranks spread over 0 to 1 whatever the values are', () => {
  expect(rankShares([-5, null, 1000, 0])).toEqual([0, null, 1, 0.5]);
  expect(rankShares([2, 2, 3])).toEqual([0, 0, 1]);
  expect(rankShares([7])).toEqual([0]);
});

import { expect, test } from 'vitest';
import { rampColor, rankShares, runColor } from './palette';

test('a run keeps its colour', () => {
  expect(runColor('5f0c1e5e')).toBe(runColor('5f0c1e5e'));
});

test('runs spread over all colours', () => {
  const colors = new Set(Array.from({ length: 200 }, (_, i) => runColor(`job-${i}`)));
  expect(colors.size).toBe(5);
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

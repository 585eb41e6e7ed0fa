import { expect, test } from 'vitest';
import { runColor } from './palette';

test('a run keeps its colour', () => {
  expect(runColor('5f0c1e5e')).toBe(runColor('5f0c1e5e'));
});

test('runs spread over all colours', () => {
  const colors = new Set(Array.from({ length: 200 }, (_, i) => runColor(`job-${i}`)));
  expect(colors.size).toBe(5);
});

import { expect, test } from 'vitest';
import { wilson } from './wilson';

test('agrees with the published interval of 81 of 263 (Newcombe 1998, table I)', () => {
  const { low, high } = wilson(81 / 263, 263);
  expect(low).toBeCloseTo(0.2553, 4);
  expect(high).toBeCloseTo(0.3662, 4);
});

test('nothing right of 20 still leaves room above, and stays above zero', () => {
  const { low, high } = wilson(0, 20);
  expect(low).toBe(0);
  expect(high).toBeCloseTo(0.1611, 4); // Newcombe 1998, table I
});

test('all right mirrors nothing right', () => {
  const none = wilson(0, 29);
  const all = wilson(1, 29);
  expect(all.high).toBe(1);
  expect(all.low).toBeCloseTo(1 - none.high, 12);
});

test('ten test images leave a wide interval', () => {
  const { low, high } = wilson(0.5, 10);
  expect(high - low).toBeGreaterThan(0.5);
});

test('without test images nothing is known', () => {
  expect(wilson(0, 0)).toEqual({ low: 0, high: 1 });
});

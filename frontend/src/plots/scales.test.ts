import { expect, test } from 'vitest';
import { countTicks, decimalTicks, digitsOf, domainOf, lineWithin, percentTicks, place, powersOfTen, ticksWithin, type TickFormat } from './scales';

test('an axis has room around its values', () => {
  expect(domainOf([0, 10], 0.1)).toEqual([-1, 11]);
  expect(domainOf([])).toEqual([0, 1]);
  const [low, high] = domainOf([-3, -3]);
  expect(low).toBeLessThan(-3);
  expect(high).toBeGreaterThan(-3);
  expect(domainOf([0])).toEqual([-1, 1]);
});

test.each([
  [0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]],
  [-2.5, -0.2, [-2.5, -2, -1.5, -1, -0.5]],
  [-3, 3, [-2, 0, 2]],
  [0, 4500, [0, 1000, 2000, 3000, 4000]],
  [2, 2, [2]],
])('round steps from %d to %d', (low, high, expected) => {
  expect(ticksWithin([low, high])).toEqual(expected);
});

test.each<[number, number, TickFormat, string[]]>([
  [0.008, 0.032, percentTicks, ['1.0 %', '1.5 %', '2.0 %', '2.5 %', '3.0 %']],
  [0, 1, percentTicks, ['0 %', '20 %', '40 %', '60 %', '80 %', '100 %']],
  [0.0001, 0.0005, decimalTicks, ['0.0001', '0.0002', '0.0003', '0.0004', '0.0005']],
  [0, 250, decimalTicks, ['0', '50', '100', '150', '200', '250']],
  [0, 1, countTicks, ['0', '', '', '', '', '1']],
])('ticks from %d to %d have different labels', (low, high, format, expected) => {
  const ticks = ticksWithin([low, high]);
  expect(ticks.map((tick) => format(tick, digitsOf(ticks)))).toEqual(expected);
});

test('a value is placed in proportion, also on an axis that runs upwards', () => {
  expect(place(1, [0, 4], 0, 100)).toBe(25);
  expect(place(1, [0, 4], 200, 0)).toBe(150);
});

test('a fitted line ends where the axes do', () => {
  expect(lineWithin(1, 0, [0, 2], [0, 1])).toEqual({ from: [0, 0], to: [1, 1] });
  expect(lineWithin(-2, 1, [0, 1], [0, 2])).toEqual({ from: [0, 1], to: [0.5, 0] });
  expect(lineWithin(0, 0.5, [0, 1], [0, 1])).toEqual({ from: [0, 0.5], to: [1, 0.5] });
  expect(lineWithin(0, 5, [0, 1], [0, 1])).toBeNull();
  expect(lineWithin(1, 5, [0, 1], [0, 1])).toBeNull();
});

test('a logarithmic axis has powers of ten, and more between them where they are few', () => {
  expect(powersOfTen(12_000)).toEqual([1, 10, 100, 1000, 10_000]);
  expect(powersOfTen(60)).toEqual([1, 2, 5, 10, 20, 50]);
  expect(powersOfTen(1)).toEqual([1]);
});

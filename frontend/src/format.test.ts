import { expect, test } from 'vitest';
import { ago, bytes, decimal, duration, integer, percent, points, seconds } from './format';

test.each([
  [0.4, '< 1 s'],
  [8, '8 s'],
  [185, '3 min 05 s'],
  [3599.7, '1 h 00 min'],
  [7620, '2 h 07 min'],
  [null, '–'],
  [Infinity, '–'],
])('duration of %s', (seconds, text) => expect(duration(seconds)).toBe(text));

test.each([
  [0.004, '0.00 s'],
  [9.876, '9.88 s'],
  [12.4, '12 s'],
  [185, '3 min 05 s'],
  [null, '–'],
])('seconds of %s', (value, text) => expect(seconds(value)).toBe(text));

test.each([
  [512, '512 B'],
  [11_165_000, '11.2 MB'],
  [3e9, '3.0 GB'],
  [undefined, '–'],
])('bytes of %s', (size, text) => expect(bytes(size)).toBe(text));

test('zero is a value, not a missing one', () => {
  expect([integer(0), percent(0), decimal(0)]).toEqual(['0', '0.0 %', '0.000']);
});

test('differences carry their sign', () => {
  expect([points(0.0086), points(-0.012), points(-0.0001), points(0.5, 0), points(null)]).toEqual(['+0.9', '−1.2', '0.0', '+50', '–']);
});

test('thousands are set apart', () => expect(integer(11165)).toBe('11,165'));

test.each([
  ['2026-01-01T00:00:00Z', 'just now'],
  ['2025-12-31T23:55:00Z', '5 min ago'],
  ['2025-12-31T21:00:00Z', '3 h ago'],
])('%s is %s', (time, text) => expect(ago(time, Date.parse('2026-01-01T00:00:30Z'))).toBe(text));

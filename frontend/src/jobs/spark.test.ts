import { expect, it } from 'vitest';
import { sparkPath } from './spark';

it('fills its box, the highest value on top', () => {
  expect(sparkPath([3, 1, 2], 24, 14)).toBe('M2.0 2.0L12.0 12.0L22.0 7.0');
  expect(sparkPath([5], 24, 14)).toBe('M12.0 7.0h0');
  expect(sparkPath([5, 5], 24, 14)).toBe('M2.0 7.0L22.0 7.0');
  expect(sparkPath([], 24, 14)).toBe('');
});

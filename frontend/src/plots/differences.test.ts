import { expect, it } from 'vitest';
import { dotPath } from './differences';
import { SHAPES } from './palette';

it('draws every shape closed around its middle', () => {
  const paths = SHAPES.map((shape) => dotPath(shape, 10, 20, 4));
  expect(new Set(paths).size).toBe(SHAPES.length);
  for (const path of paths) expect(path).toMatch(/^M.*z$/);
  expect(paths[0]).toBe('M6 20a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z');
});

import { expect, test } from 'vitest';
import { nameAgain } from './rerun';

test('a further run has a name of its own, which is no longer than one may be', () => {
  expect(['a', 'a (2)', 'a (9)', 'a (b)', '(2)'].map(nameAgain)).toEqual(['a (2)', 'a (3)', 'a (10)', 'a (b) (2)', '(2) (2)']);
  const long = nameAgain('x'.repeat(100));
  expect([long.length, long.slice(-5)]).toEqual([100, 'x (2)']);
});

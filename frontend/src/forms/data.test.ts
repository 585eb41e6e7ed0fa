import { expect, test } from 'vitest';
import { dataOf, plainData, sentData, sentTail } from './data';

test('only what was filled in is sent', () => {
  expect(sentData(plainData(), {})).toEqual({});
  expect(sentTail(plainData())).toEqual({});
  const filled = { maxPerClass: 500, order: 'random' as const, tailSeed: 3, testFraction: 0.3, seed: 7, table: { file: 'a.csv', path: '', label: 'kind', split: '' } };
  expect(sentTail(filled)).toEqual({ max_per_class: 500, order: 'random', seed: 3 });
  expect(sentData(filled, { train: 'u1' })).toEqual({ test_fraction: 0.3, seed: 7, table: { file: 'a.csv', label: 'kind' }, lists: { train: 'u1' } });
});

test('a registration comes back into the form', () => {
  const filled = { maxPerClass: 500, order: 'random' as const, tailSeed: 3, testFraction: 0.3, seed: 7, table: { file: 'a.csv', path: '', label: 'kind', split: '' } };
  const spec = { ...sentData(filled, {}), long_tail: { profile: 'exp' as const, ...sentTail(filled) } };
  expect(dataOf(spec)).toEqual(filled);
  expect(dataOf({ test_fraction: 0.2, seed: 0, table: null, long_tail: null })).toEqual(plainData());
});

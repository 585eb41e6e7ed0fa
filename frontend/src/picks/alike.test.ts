import { expect, test } from 'vitest';
import type { OodSample } from '../api/types';
import { folded } from './alike';

const sample = (index: number, alike_to: number | null = null) => ({ index, alike_to }) as OodSample;

test('near-identical images are folded under the first, and none is lost', () => {
  const folds = folded([sample(4), sample(7), sample(2, 4), sample(9, 4), sample(1)]);
  expect(folds.map(({ sample: { index }, alike }) => [index, alike.map((one) => one.index)])).toEqual([[4, [2, 9]], [7, []], [1, []]]);
  // Its first is on no page that is shown.
  expect(folded([sample(2, 4)]).map(({ sample: { index } }) => index)).toEqual([2]);
});

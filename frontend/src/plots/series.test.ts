import { expect, test } from 'vitest';
import { lastWholeStep, thinned, withNewPoints } from './series';

const upTo = (last: number) => Array.from({ length: last }, (_, i) => i + 1);

test('new points replace those after the last whole step', () => {
  const old = { loss: { step: [1, 2, 3], value: [3, 2, 1] }, epoch_loss: { step: [2], value: [2.5] } };
  expect(lastWholeStep(old)).toBe(2);
  // The mean of the epoch that ended with step 3 comes with the points after step 2.
  const found = { loss: { step: [3, 4], value: [1, 0] }, epoch_loss: { step: [3], value: [0.5] }, round_seconds: { step: [4], value: [9] } };
  expect(withNewPoints(old, found, 2, 100)).toEqual({
    loss: { step: [1, 2, 3, 4], value: [3, 2, 1, 0] },
    epoch_loss: { step: [2, 3], value: [2.5, 0.5] },
    round_seconds: { step: [4], value: [9] },
  });
  expect(lastWholeStep({})).toBe(-1);
});

test('a curve that grows keeps its ends and its extremes', () => {
  const step = upTo(1000);
  const value = step.map((at) => (at === 321 ? 99 : at === 654 ? -99 : at % 7));
  const thin = thinned({ step, value }, 40);
  expect(thin.step.length).toBeLessThanOrEqual(40);
  expect([thin.step[0], thin.step.at(-1)]).toEqual([1, 1000]);
  expect([Math.max(...thin.value), Math.min(...thin.value)]).toEqual([99, -99]);
  expect(thin.step).toEqual([...thin.step].sort((a, b) => a - b));
  expect(thin.value).toEqual(thin.step.map((at) => value[at - 1]));
  const short = { step: upTo(80), value: upTo(80) };
  expect(thinned(short, 40)).toBe(short);
});

import { expect, test } from 'vitest';
import { epochSeconds, partsOf } from './profile';

const profile = { epochs: 4, data: 2, forward_backward: 5, tailness: 0.5, round: 0, other: 0.5, evaluation: 2 };

test('parts are shares of all that was measured, and what took no time is none', () => {
  expect(partsOf(profile).map(({ phase, seconds, share }) => [phase, seconds, share])).toEqual([
    ['forward_backward', 5, 0.5],
    ['data', 2, 0.2],
    ['tailness', 0.5, 0.05],
    ['other', 0.5, 0.05],
    ['evaluation', 2, 0.2],
  ]);
});

test('an evaluation is no part of an epoch', () => expect(epochSeconds(profile)).toBe(2));

test('before the first epoch is over there is nothing to tell', () => {
  const nothing = { epochs: 0, data: 0, forward_backward: 0, tailness: 0, round: 0, other: 0, evaluation: null };
  expect(partsOf(nothing)).toEqual([]);
  expect(epochSeconds(nothing)).toBeNull();
});

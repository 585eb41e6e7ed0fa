import { expect, test } from 'vitest';
import type { Job, JobComparison } from '../api/types';
import { withMark } from './accuracy';
import { baselineChoices, baselineValues } from './baseline';

const job = (id: string, name: string, evaluation_dataset_id: string | null = null) => ({ id, name, dataset_id: 'd', evaluation_dataset_id }) as Job;

test('a baseline is another job on the same data', () => {
  const mine = job('mine', 'run');
  const jobs = [mine, job('aaaaaaaa', 'run'), job('bbbbbbbb', 'twice'), job('cccccccc', 'twice'), job('e', 'elsewhere', 'other'), job('f', 'alone', 'd')];
  expect(baselineChoices(jobs, mine).map(({ name }) => name)).toEqual(['run (aaaaaa)', 'twice (bbbbbb)', 'twice (cccccc)', 'alone']);
});

test('its accuracies lie at their classes, where classes agree', () => {
  const found = { settings: [{ classes: [{ metric: 'class/cat', mean: 0.5 }, { metric: 'class/dog', mean: null }] }, { classes: [] }] } as unknown as JobComparison;
  expect(baselineValues(found)).toEqual([0.5, null]);
  expect(baselineValues({ settings: [{ classes: null }] } as unknown as JobComparison)).toBeNull();
});

test('a bar says its baseline too, where there is one', () => {
  const bar = { id: 0, name: 'cat', count: 3, value: 0.25, story: 'cat: 25.0 %' };
  expect(withMark(bar, 0.5, 'plain')).toMatchObject({ mark: 0.5, story: 'cat: 25.0 %; plain: 50.0 %' });
  expect(withMark(bar, null, 'plain')).toBe(bar);
});

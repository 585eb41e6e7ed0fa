import { describe, expect, it } from 'vitest';
import type { ExperimentRun, ResultRow, Results } from '../api/types';
import { armsOf, classOrder, classPlaces, groupPlaces, meanText, missingOf, resultsTable, wordsOf } from './results';

const row = (arm: string, metric: string, changes: Partial<ResultRow> = {}): ResultRow => ({
  arm, metric, n: 3, mean: 0.5, sd: 0.01, pairs: 3, difference: 0.04, interval: [0.03, 0.05], no_interval: null, verdict: 'higher', ...changes,
});
const baseline = (metric: string) => row('plain', metric, { pairs: null, difference: null, interval: null, verdict: null });
const one = { pairs: 1, interval: null, no_interval: 'one run each: no interval', verdict: 'too few pairs' } as const;

describe('words', () => {
  it('are the verdicts of the API', () => {
    expect(wordsOf(row('COLT', 'all'))).toBe('higher');
    expect(wordsOf(row('COLT', 'all', { verdict: 'no clear difference' }))).toBe('no clear difference');
    expect(wordsOf(row('COLT', 'all', { pairs: 2, verdict: 'too few pairs' }))).toBe('too few pairs');
  });

  it('say why there is no interval, or no verdict', () => {
    expect(wordsOf(row('COLT', 'all', one))).toBe('one run each: no interval');
    expect(wordsOf(row('COLT', 'all', { ...one, pairs: 0, difference: null, no_interval: 'no pair: no interval' }))).toBe('no pair: no interval');
    expect(wordsOf(row('COLT', 'all', { verdict: null }))).toBe('no verdict');
    expect(wordsOf(row('COLT', 'all', { verdict: null, interval: null, no_interval: 'all 3 pairs differ by the same amount: no interval' }))).toContain('same amount');
    expect(wordsOf(row('COLT', 'all', { verdict: 'no clear difference', interval: null, no_interval: 'all 3 pairs are equal: no interval' }))).toBe('no clear difference');
    expect(wordsOf(baseline('all'))).toBe('');
  });
});

describe('places', () => {
  const rows = [baseline('all'), baseline('class/owl'), baseline('class/cat'), row('COLT', 'all'), row('COLT', 'class/owl', one), row('COLT', 'class/cat')];
  const others = armsOf({ rows }).filter(({ arm }) => arm !== 'plain');

  it('are the groups, with what is known of them', () => {
    const places = groupPlaces(others);
    expect(places.map(({ id }) => id)).toEqual(['all', 'many', 'medium', 'few', 'std']);
    expect(places[0]!.dots).toMatchObject([{ value: 0.04, low: 0.03, high: 0.05, story: 'All, COLT: +4.0 points (95 %: +3.0 to +5.0), higher' }]);
    expect(places[1]!.dots).toMatchObject([{ value: null, story: 'Many, COLT: no difference known' }]);
  });

  it('are classes from head to tail over all data sets', () => {
    const order = classOrder([{ class_names: ['owl', 'cat'], class_counts: [2, 30] }, { class_names: ['owl', 'cat'], class_counts: [9, 5] }, { class_names: null, class_counts: null }]);
    expect(order).toEqual(['cat', 'owl']);
    expect(classPlaces(others, order).map(({ id, dots }) => [id, dots[0]!.low])).toEqual([['class/cat', 0.03], ['class/owl', null]]);
    expect(classPlaces(others, []).map(({ name }) => name)).toEqual(['owl', 'cat']);
  });

  it('keep the look of an arm whichever is the baseline', () => {
    expect(armsOf({ rows }).map(({ arm, look }) => [arm, look.color])).toEqual([['plain', '#0072b2'], ['COLT', '#d55e00']]);
  });
});

it('leaves as points', () => {
  expect(meanText(row('COLT', 'all'))).toBe('50.0 %');
  expect(meanText(row('COLT', 'std', { mean: 0.0123 }))).toBe('1.23');
  expect(meanText(row('COLT', 'few', { mean: null }))).toBe('–');
  expect(resultsTable([row('COLT', 'all'), baseline('all')]).rows).toEqual([
    ['COLT', 'all', 3, 50, 1, 3, 4, 3, 5, 'higher'],
    ['plain', 'all', 3, 50, 1, null, null, null, null, ''],
  ]);
});

it('names what is missing and stays so, and counts what is under way', () => {
  const entry = (job_id: string | null) => ({ arm: 'a', dataset_id: 'd', seed: 0, job_id, why: 'w', metrics: null }) as Results['missing'][number];
  const job = (job_id: string, status: ExperimentRun['status']) => ({ job_id, status }) as ExperimentRun;
  const missing = [entry('q'), entry('f'), entry(null), entry('s')];
  const found = missingOf(missing, [job('q', 'running'), job('f', 'failed'), job('s', 'succeeded')]);
  expect(found).toEqual({ stopped: missing.slice(1), underWay: 1 });
});

import { describe, expect, it } from 'vitest';
import type { Comparison, Evaluation } from '../api/types';
import { reachOf } from '../plots/differences';
import { comparedOf, differencesTable, placesOf, settingLabel, verdictOf } from './differences';
import type { Run } from './runs';

type Against = NonNullable<Comparison['against']>;
type Setting = Against['settings'][number];

const row = (metric: string, difference: number | null, interval: [number, number] | null, verdict: string | null) => ({
  metric, mean: 0.5, sd: null, n: 3, difference, interval, verdict,
});
const setting = (job_ids: string[], changes: Partial<Setting> = {}): Setting => ({
  job_ids, differs_in: ['sampler'], no_verdict: null, missing: [], unpaired: [],
  rows: [row('all', 0.04, [0.03, 0.05], 'higher'), row('few', -0.02, [-0.1, 0.06], 'no clear difference')],
  classes: [row('class/owl', 0.01, null, null), row('class/cat', null, null, 'too few pairs')],
  ...changes,
});
const runs = ['a', 'b', 'c'].map((id) => ({ id, label: `run ${id}`, color: `#${id}`, shape: 'square' })) as unknown as Run[];
const against: Against = { baseline: 'a', evaluation: 'linear', settings: [setting(['a']), setting(['b', 'c'])] };
const evaluations = [null, { class_counts: [2, 30] } as unknown as Evaluation];

describe('differences', () => {
  it('are of every setting but the baseline’s', () => {
    expect(comparedOf(against, runs).map(({ label, color }) => [label, color])).toEqual([['run b and 1 more seed', '#b']]);
    expect(settingLabel(setting(['c']), runs)).toBe('run c');
  });

  it('lie around 0: groups, then classes from head to tail', () => {
    const places = placesOf(comparedOf(against, runs), evaluations);
    expect(places.map(({ id, name }) => [id, name])).toEqual([
      ['all', 'All'], ['many', 'Many'], ['medium', 'Medium'], ['few', 'Few'], ['class-1', 'cat'], ['class-0', 'owl'],
    ]);
    expect(places[0]!.dots[0]).toEqual({
      color: '#b', shape: 'square', value: 0.04, low: 0.03, high: 0.05, story: 'All, run b and 1 more seed: +4.0 points (95 %: +3.0 to +5.0), higher',
    });
    expect(places.map(({ dots }) => dots[0]!.value)).toEqual([0.04, null, null, -0.02, null, 0.01]);
    expect(reachOf(places)).toBeCloseTo(0.108);
    expect(reachOf([])).toBe(0.01);
  });

  it('have a word only where the service has one', () => {
    const [all, few] = setting([]).rows;
    expect(verdictOf(all!, setting([]))).toBe('higher');
    expect(verdictOf(few!, setting([]))).toBe('no clear difference');
    expect(verdictOf(all!, setting([], { no_verdict: 'They differ in their data: dataset.' }))).toBe('no verdict');
    expect(verdictOf(row('all', 0.1, null, null), setting([]))).toBe('equal in all pairs: no interval');
  });

  it('leave as points', () => {
    const { header, rows } = differencesTable(comparedOf(against, runs));
    expect(header.slice(0, 3)).toEqual(['setting', 'metric', 'pairs']);
    expect(rows[0]).toEqual(['run b and 1 more seed', 'all', 3, 50, null, 4, 3, 5, 'higher']);
    expect(rows).toHaveLength(4);
  });
});

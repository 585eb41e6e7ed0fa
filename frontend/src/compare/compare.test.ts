import { describe, expect, it } from 'vitest';
import type { Analysis, Evaluation, Job } from '../api/types';
import { joinCurves } from './curves';
import { sameClasses, scoresOf, unlikeSettings } from './scores';
import { newestByKind } from './analyses';
import { stepGap } from './steps';

function evaluation(all: number, few: number | null, std: number, config = {}): Evaluation {
  return {
    balanced_accuracy: all,
    accuracy: all + 0.25,
    group_accuracy: { many: 0.9, medium: 0.8, few },
    group_std: std,
    class_counts: [10, 2],
    config,
  } as unknown as Evaluation;
}

describe('scores', () => {
  it('are side by side, with a gap where nothing was measured', () => {
    const scores = scoresOf([evaluation(0.5, 0.2, 0.1), null, evaluation(0.5, null, 0.3)]);
    expect(Object.fromEntries(scores.map(({ name, values }) => [name, values]))).toEqual({
      All: [0.5, null, 0.5], Accuracy: [0.75, null, 0.75], Many: [0.9, null, 0.9], Medium: [0.8, null, 0.8], Few: [0.2, null, null], Std: [0.1, null, 0.3],
    });
  });

  it('names the settings in which the probes differ', () => {
    const probes = [evaluation(0, 0, 0, { protocol: 'fast', seed: 0 }), null, evaluation(0, 0, 0, { protocol: 'sgd', seed: 0 })];
    expect(unlikeSettings(probes)).toEqual(['protocol: "fast", "sgd"']);
    expect(sameClasses(probes)).toBe(true);
    expect(sameClasses([...probes, { ...evaluation(0, 0, 0), class_counts: [10, 3] }])).toBe(false);
  });
});

describe('steps', () => {
  const job = (status: string, step: number, steps: number) => ({ status, progress: { step, steps } }) as Job;

  it('compares what was taken, and of a job that runs what will be', () => {
    expect(stepGap([job('succeeded', 80, 80), job('running', 3, 120), job('cancelled', 100, 900), job('queued', 0, 0)])).toEqual({ most: 1, fewest: 0, gap: 40 });
  });

  it('finds no gap between equal, or none begun', () => {
    expect(stepGap([job('succeeded', 80, 80), job('running', 3, 80)])).toBeNull();
    expect(stepGap([job('queued', 0, 0)])).toBeNull();
  });
});

describe('curves', () => {
  it('are laid over the steps of all, without a gap where only another has a point', () => {
    const joined = joinCurves([{ step: [1, 3], value: [5, 7] }, { step: [2, 3], value: [0, 1] }]);
    expect(joined).toEqual({ step: [1, 2, 3], values: [[5, undefined, 7], [undefined, 0, 1]] });
    expect(joinCurves([])).toEqual({ step: [], values: [] });
  });
});

it('takes the newest analysis of each kind that has succeeded', () => {
  const list = [['tail_share', 'running', 'a'], ['tail_share', 'succeeded', 'b'], ['tail_share', 'succeeded', 'c'], ['uniformity', 'failed', 'd']];
  const found = newestByKind(list.map(([kind, status, id]) => ({ kind, status, id })) as Analysis[]);
  expect([...found].map(([kind, { id }]) => [kind, id])).toEqual([['tail_share', 'b']]);
});

import { describe, expect, it } from 'vitest';
import type { Evaluation } from '../api/types';
import { epochsTable, overEpochs } from './epochs';

let age = 0;
const evaluation = (epoch: number, all: number | null, changes: object = {}) =>
  ({
    kind: 'knn', status: 'succeeded', epoch, balanced_accuracy: all, group_accuracy: { many: 0.9, medium: null, few: 0.1 }, config: { neighbors: 5 },
    created_at: `2030-01-01T00:00:${String((age += 1)).padStart(2, '0')}Z`, ...changes,
  }) as unknown as Evaluation;

describe('accuracy over epochs', () => {
  it('is of one probe with the settings of its newest evaluation', () => {
    const found = overEpochs(
      [
        evaluation(1, 0.2),
        evaluation(3, 0.1, { config: { neighbors: 9 } }),
        evaluation(2, 0.3, { kind: 'linear' }),
        evaluation(3, 0.4),
        evaluation(3, 0.5),
        evaluation(4, null, { status: 'failed' }),
      ],
      'knn',
    )!;
    expect(found.epochs).toEqual([1, 3]);
    expect(found.lines).toEqual([
      { name: 'All, over classes', values: [0.2, 0.5] },
      { name: 'Many', values: [0.9, 0.9] },
      { name: 'Few', values: [0.1, 0.1] },
    ]);
    expect(epochsTable(found).rows).toEqual([[1, 0.2, 0.9, 0.1], [3, 0.5, 0.9, 0.1]]);
  });

  it('needs two checkpoints', () => {
    expect(overEpochs([evaluation(1, 0.2), evaluation(1, 0.3)], 'knn')).toBeNull();
    expect(overEpochs([], 'knn')).toBeNull();
  });
});

import { expect, test } from 'vitest';
import { classesOf, groupOf } from './classes';
import { tableOf } from './tables';

const DATASET = { class_names: ['cat', 'dog', 'owl'], class_counts: [3, 60, 7], groups: { many: [1], medium: [2], few: [0] } };
const CLASSES = classesOf(DATASET, {} as never);

test('groups are the data set’s, or those of the thresholds of the run', () => {
  expect(groupOf(2, CLASSES.groups)).toBe('medium');
  const own = classesOf(DATASET, { group_thresholds: { low: 10, high: 50 } } as never);
  expect(own.groups).toEqual({ many: [1], medium: [], few: [0, 2] });
  expect(groupOf(9, own.groups)).toBeNull();
});

test('classes go from head to tail, each with its own value', () => {
  const { header, rows } = tableOf({ kind: 'uniformity', uniformity: -2, by_class: [-0.5, -1.5, null], num_samples: 70 }, CLASSES);
  expect(header.at(-1)).toBe('uniformity');
  expect(rows).toEqual([
    [1, 'dog', 'many', 60, -1.5],
    [2, 'owl', 'medium', 7, null],
    [0, 'cat', 'few', 3, -0.5],
  ]);
});

test('lists of a result become columns', () => {
  expect(tableOf({ kind: 'tail_share', gamma: [1, 100], phi_tail: [5, 1], phi_head: [null, 1] }, CLASSES)).toEqual({
    header: ['gamma_percent', 'phi_tail', 'phi_head'],
    rows: [
      [1, 5, null],
      [100, 1, 1],
    ],
  });
});

test('the strongest confusion comes first, right predictions last', () => {
  const counts = [
    [1, 2, 0],
    [0, 9, 1],
    [3, 0, 4],
  ];
  const normalized = [
    [null, 2, 0],
    [0, null, 1],
    [3, 0, null],
  ];
  const { rows } = tableOf({ kind: 'misclassification', counts, normalized, order: [1, 2, 0] }, CLASSES);
  expect(rows.slice(0, 3)).toEqual([
    ['owl', 'cat', 3, 3],
    ['cat', 'dog', 2, 2],
    ['dog', 'owl', 1, 1],
  ]);
  expect(rows.slice(-3).map(([truth, predicted]) => truth === predicted)).toEqual([true, true, true]);
  expect(rows).toHaveLength(9);
});

test('an OOD image has no class', () => {
  const map = { index: [4, 9], x: [0, 1], y: [2, 3], label: [2, -1], tailness: [-0.5, null] };
  expect(tableOf({ kind: 'feature_map', ...map }, CLASSES).rows).toEqual([
    ['ID', 4, 'owl', 0, 2, -0.5],
    ['OOD', 9, null, 1, 3, null],
  ]);
});

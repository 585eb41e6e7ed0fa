import { expect, test } from 'vitest';
import type { ClassTailness } from '../api/types';
import { classTable, countOfLog, historyLines, MOST_LINES, sizePoints } from './classes';

const item = (label: number, count: number, history: (number | null)[]): ClassTailness => ({
  label, class_name: `class ${label}`, count, mean_tailness: history.at(-1) ?? null, history,
});
const GROUPS = { many: [1], medium: [], few: [0, 2] };

test('a class without images has no dot', () => {
  const points = sizePoints([item(0, 10, [-0.2]), item(1, 1000, [-0.5]), item(2, 0, [null])], GROUPS);
  expect(points.map(({ x, y }) => [x, y])).toEqual([[1, -0.2], [3, -0.5]]);
  expect(points[0]!.story).toBe('class 0 (few), 10 training images: mean tailness -0.200');
});

test('numbers of images between two powers of ten', () => expect([0, 0.2, 1.4, 3].map(countOfLog)).toEqual(['1', '1.6', '25', '1,000']));

test('few classes have a line each, from head to tail', () => {
  const lines = historyLines({ items: [item(0, 10, [-0.1, -0.2]), item(1, 1000, [-0.4, -0.5])] }, GROUPS, '');
  expect(lines.map(({ label, value }) => [label, value])).toEqual([['class 1 · 1,000', [-0.4, -0.5]], ['class 0 · 10', [-0.1, -0.2]]]);
});

test('many classes have a line for each group, and one for the class that was chosen', () => {
  const items = Array.from({ length: MOST_LINES + 1 }, (_, label) => item(label, 10, [label === 2 ? null : -0.5 - label]));
  const lines = historyLines({ items }, GROUPS, '3');
  expect(lines.map(({ label }) => label)).toEqual(['mean of many', 'mean of few', 'class 3']);
  expect(lines[1]!.value).toEqual([-0.5]);
});

test('the table runs from head to tail', () => {
  expect(classTable({ items: [item(0, 1, [-0.1]), item(1, 9, [-0.5])] }).rows).toEqual([[1, 'class 1', 9, -0.5], [0, 'class 0', 1, -0.1]]);
});

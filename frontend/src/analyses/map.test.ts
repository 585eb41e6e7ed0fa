import { expect, test } from 'vitest';
import { GROUP_COLORS, rampColor } from '../plots/palette';
import { classesOf } from './classes';
import { mapKeys, mapPoints, OOD_COLOR } from './map';

const CLASSES = classesOf(
  { class_names: ['cat', 'dog'], class_counts: [1, 9], groups: { many: [1], medium: [], few: [0] } },
  {} as never,
);
const MAP = {
  kind: 'feature_map' as const,
  index: [3, 5, 8],
  x: [1, 2, 3],
  y: [-1, -2, -3],
  label: [0, 1, -1],
  tailness: [-0.1, -0.9, null],
};

test('OOD images lie below, the tail on top, each at its own place', () => {
  const points = mapPoints(MAP, CLASSES, 'group');
  expect(points.map(({ x, y, shape, color }) => [x, y, shape, color])).toEqual([
    [3, -3, 'cross', OOD_COLOR],
    [2, -2, 'dot', GROUP_COLORS.many],
    [1, -1, 'dot', GROUP_COLORS.few],
  ]);
  expect(points[2]!.story).toBe('Training image 3, cat (few), tailness -0.100');
  const pictured = mapPoints(MAP, CLASSES, 'group', { dataset_id: 'ours', ood_pool_id: 'theirs' });
  expect(pictured.map(({ image }) => image)).toEqual([
    '/api/v1/ood-pools/theirs/samples/8/image', '/api/v1/datasets/ours/samples/5/image', '/api/v1/datasets/ours/samples/3/image',
  ]);
});

test('by tailness the colour is its rank', () => {
  expect(mapPoints(MAP, CLASSES, 'tailness').map(({ color }) => color)).toEqual([OOD_COLOR, rampColor(0), rampColor(1)]);
});

test('the legend names what is drawn, and no more', () => {
  expect(mapKeys(MAP, 'group').map(({ name }) => name)).toEqual(['many', 'medium', 'few', 'picked OOD image']);
  const alone = { ...MAP, label: [0, 1, 1] };
  expect(mapKeys(alone, 'tailness').map(({ name }) => name)).toEqual(['lowest tailness, -0.900', 'median', 'highest, -0.100']);
});

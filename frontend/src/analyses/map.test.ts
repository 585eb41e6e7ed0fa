import { expect, test } from 'vitest';
import { GROUP_COLORS, rampColor } from '../plots/palette';
import { classesOf } from './classes';
import { coloursOf, mapKeys, mapMarks, OOD_COLOR } from './map';

const CLASSES = classesOf(
  { class_names: ['cat', 'dog'], class_counts: [1, 9], groups: { many: [1], medium: [], few: [0] } },
  {} as never,
);
const OLD = {
  kind: 'feature_map' as const,
  index: [3, 5, 8],
  x: [1, 2, 3],
  y: [-1, -2, -3],
  label: [0, 1, -1],
  tailness: [-0.1, -0.9, null],
  cluster: null,
  error: null,
};
const MAP = { ...OLD, cluster: [1, 0, 0], error: [1, 0, null] };

test('OOD images lie below, the tail on top, each at its own place', () => {
  const { x, y, cross, color, story, image } = mapMarks(OLD, CLASSES, 'group');
  expect([[...x], [...y], [...cross]]).toEqual([[3, 2, 1], [-3, -2, -1], [1, 0, 0]]);
  expect(color).toEqual([OOD_COLOR, GROUP_COLORS.many, GROUP_COLORS.few]);
  expect(story(2)).toBe('Training image 3, cat (few), tailness -0.100');
  expect(image(2)).toBeUndefined();
  const pictured = mapMarks(MAP, CLASSES, 'group', { dataset_id: 'ours', ood_pool_id: 'theirs' });
  expect([0, 1, 2].map(pictured.image)).toEqual([
    '/api/v1/ood-pools/theirs/samples/8/image', '/api/v1/datasets/ours/samples/5/image', '/api/v1/datasets/ours/samples/3/image',
  ]);
  expect(pictured.story(2)).toBe('Training image 3, cat (few), tailness -0.100, cluster 1, 100 % of its neighbours in other classes');
});

test('the colour is the rank of tailness, the share of other classes, the class or the cluster', () => {
  const colours = (by: Parameters<typeof mapMarks>[2]) => mapMarks(MAP, CLASSES, by).color;
  expect(colours('tailness')).toEqual([OOD_COLOR, rampColor(0), rampColor(1)]);
  expect(colours('error')).toEqual([OOD_COLOR, rampColor(0), rampColor(1)]);
  const [ood, dog, cat] = colours('class');
  expect(ood).toBe(OOD_COLOR);
  expect(dog).not.toBe(cat);
  // An OOD image has the colour of its cluster too.
  expect(colours('cluster')[0]).toBe(colours('cluster')[1]);
  expect(colours('cluster')[1]).not.toBe(colours('cluster')[2]);
});

test('the legend names what is drawn, and no more', () => {
  const names = (map: typeof MAP, by: Parameters<typeof mapKeys>[2]) => mapKeys(map, CLASSES, by).map(({ name }) => name);
  expect(names(MAP, 'group')).toEqual(['many', 'medium', 'few', 'picked OOD image']);
  const alone = { ...MAP, label: [0, 1, 1] };
  expect(names(alone, 'tailness')).toEqual(['lowest tailness, -0.900', 'median', 'highest, -0.100']);
  expect(names(alone, 'class')).toEqual(['dog', 'cat']);
  expect(names(MAP, 'cluster')).toEqual(['cluster 0', 'cluster 1', 'picked OOD image']);
});

test('only colours are offered that the map has numbers for', () => {
  expect(coloursOf(MAP, true).map(([name]) => name)).toEqual(['group', 'tailness', 'class', 'cluster', 'error']);
  expect(coloursOf({ ...OLD, cluster: [0, 0, 0], tailness: [null, null, null] } as never, false).map(([name]) => name)).toEqual(['cluster']);
  expect(coloursOf(OLD as never, false).map(([name]) => name)).toEqual(['tailness']);
});

import { expect, test } from 'vitest';
import { classResults, fittedOn, toBar, toStretches } from './accuracy';

const dataset = { class_names: ['cat', 'dog', 'owl'], groups: { many: [1], medium: [2], few: [0] } };
const evaluation = { per_class_accuracy: [0.25, 0.9, 0.5], class_counts: [5, 100, 20], test_counts: [8, 10, 0] };

test('each class keeps its own values when it moves to its place', () => {
  const results = classResults(evaluation, dataset);
  expect(results.map(({ name, trainCount, accuracy, group }) => [name, trainCount, accuracy, group])).toEqual([
    ['dog', 100, 0.9, 'many'],
    ['owl', 20, 0.5, 'medium'],
    ['cat', 5, 0.25, 'few'],
  ]);
});

test('what a probe was fitted on is said with the range of its classes', () => {
  const probe = { images: 492, images_per_class: [50, 0, 40, 2], shots: null };
  expect(fittedOn(probe)).toBe('492 images, 2 to 50 of each class');
  expect(fittedOn({ ...probe, shots: 50 })).toBe('492 images, 2 to 50 of each class, of 50 asked for');
  expect(fittedOn({ images: 6, images_per_class: [3, 3], shots: 3 })).toBe('6 images, 3 of each class');
  expect(fittedOn(null)).toBeNull();
  const counts = classResults({ ...evaluation, probe: { images: 9, images_per_class: [2, 3, 4], shots: null } }, dataset);
  expect(counts.map(({ name, probeCount }) => [name, probeCount])).toEqual([['dog', 3], ['owl', 4], ['cat', 2]]);
});

test('unknown training counts are not 0', () => {
  const results = classResults({ ...evaluation, class_counts: null }, dataset);
  expect(results.map(({ name, trainCount }) => [name, trainCount])).toEqual([['cat', null], ['dog', null], ['owl', null]]);
  expect(toBar(results[0]!).story).toContain('– training images');
});

test('a bar says count, accuracy and interval', () => {
  const bar = toBar(classResults(evaluation, dataset)[2]!);
  expect(bar).toMatchObject({ id: 0, count: 5, value: 0.25 });
  expect(bar.story).toBe('cat, 5 training images: 25.0 % of 8 test images (95 %: 7.1 % to 59.1 %)');
});

test('without test counts there is no whisker to draw', () => {
  const bar = toBar(classResults({ ...evaluation, test_counts: null }, dataset)[0]!);
  expect(bar).not.toHaveProperty('low');
  expect(bar.story).toBe('dog, 100 training images: 90.0 %');
});

test('groups carry their means, and none where there is none', () => {
  const stretches = toStretches(classResults(evaluation, dataset), dataset.groups, { many: 0.9, medium: null, few: 0.25 });
  expect(stretches.map(({ name, mean, caption }) => [name, mean, caption])).toEqual([
    ['many', 0.9, 'many 90.0 %'],
    ['medium', undefined, 'medium'],
    ['few', 0.25, 'few 25.0 %'],
  ]);
});

test('a class without test images keeps its place, without a bar', () => {
  const unmeasured = { ...evaluation, per_class_accuracy: [0.25, 0.9, null] };
  const bar = toBar(classResults(unmeasured, dataset)[1]!);
  expect(bar).toMatchObject({ id: 2, count: 20, value: null, story: 'owl, 20 training images: no test images' });
  expect(bar).not.toHaveProperty('low');
});

import { expect, test } from 'vitest';
import { imagesOf, plainImages, sentImages } from './images';

test('a form that was left alone sends nothing', () => {
  expect(sentImages(plainImages())).toEqual({});
});

test('what was chosen is sent under the names of the API', () => {
  const chosen = { fit: 'pad' as const, background: '#ffffff', scale: true, low: 0, high: 4095, skip: true };
  expect(sentImages(chosen)).toEqual({
    fit: 'pad',
    background: '#ffffff',
    bit_depth: 'scale',
    value_range: [0, 4095],
    on_damaged: 'skip',
  });
});

test('a range needs both ends and the scaling', () => {
  expect(sentImages({ ...plainImages(), scale: true, low: 0 })).toEqual({ bit_depth: 'scale' });
  expect(sentImages({ ...plainImages(), low: 0, high: 4095 })).toEqual({});
});

test('a registration comes back into the form', () => {
  expect(imagesOf({})).toEqual(plainImages());
  const filled = { fit: 'pad' as const, background: '#ffffff', scale: true, low: 1, high: 9, skip: true };
  expect(imagesOf(sentImages(filled))).toEqual(filled);
});

import { expect, it } from 'vitest';
import { nearestPoint, quantity, stretch } from './lines';

it('finds the nearest point of a line, its gaps among them', () => {
  const values = [1, undefined, undefined, undefined, null, undefined];
  expect(values.map((_, place) => nearestPoint(values, place))).toEqual([0, 0, 0, 4, 4, 4]);
  expect(nearestPoint([undefined, undefined], 1)).toBe(1);
});

it('shows a line in a legend as it is drawn', () => {
  expect(stretch({ color: 'red' }, 'grey')).toBe('red');
  expect(stretch({ dash: [5, 4] }, 'grey')).toBe('repeating-linear-gradient(90deg, grey 0px 5px, transparent 5px 9px)');
});

it('says what is measured, with its unit', () => {
  expect(['learning_rate', 'forward_backward_seconds', 'loss'].map(quantity)).toEqual(['learning rate', 'forward backward, seconds', 'loss']);
});

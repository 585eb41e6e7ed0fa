import { expect, test } from 'vitest';
import { filtersOf, viewOf } from './view';

test('picks by cluster come first, and an address with a filter is a list', () => {
  const view = (text: string) => viewOf(new URLSearchParams(text));
  expect(view('')).toBe('clusters');
  expect(view('round=2&metric=loss')).toBe('clusters');
  expect(view('picked=true')).toBe('all');
  expect(view('view=changes&cluster=1')).toBe('changes');
  expect(view('view=nonsense')).toBe('clusters');
});

test('an order or a change that there is not is left out', () => {
  const { order, change, min } = filtersOf(new URLSearchParams('order=size&change=none&min=0.5'), 3);
  expect([order, change, min]).toEqual(['-tailness', '', '0.5']);
});

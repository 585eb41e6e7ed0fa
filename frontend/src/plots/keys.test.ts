import { expect, it } from 'vitest';
import { placeKeys } from './keys';

it('starts a new row of a legend where the next key would not fit', () => {
  const keys = ['ten letter', 'ten letter', 'ten letter', 'a name that is longer than the whole legend'].map((name) => ({ name }));
  const placed = placeKeys(keys, 240);
  expect(placed.map(({ row }) => row)).toEqual([0, 0, 1, 2]);
  expect(placed.map(({ at }) => at)).toEqual([8, 105, 8, 8]);
  expect(placeKeys(keys.slice(3), 240)).toEqual([{ ...keys[3], at: 8, row: 0 }]);
});

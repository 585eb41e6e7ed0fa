import { expect, test } from 'vitest';
import { splitTags } from './tags';

test('tags are what is between commas', () => {
  expect(splitTags(' paper, seed 1 ,,')).toEqual(['paper', 'seed 1']);
  expect(splitTags(' ')).toEqual([]);
});

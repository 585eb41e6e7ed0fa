import { expect, test } from 'vitest';
import { acceptOf, readable } from './endings';

test('every ending is accepted, and the last part of a double one', () => {
  expect(acceptOf(['.zip', '.tar.gz', '.npy'])).toBe('.zip,.tar.gz,.gz,.npy');
});

test.each([
  [['.zip', '.tar.gz', '.npz'], 'zip, tar.gz or npz'],
  [['.npy'], 'npy'],
  [[], ''],
])('%o reads %s', (endings, text) => expect(readable(endings)).toBe(text));

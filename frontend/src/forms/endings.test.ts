import { expect, test } from 'vitest';
import { acceptOf, readable } from './endings';

test('every ending is accepted, and the last part of a double one', () => {
  expect(acceptOf(['.zip', '.tar.gz', '.npy'])).toBe('.zip,.tar.gz,.gz,.npy');
});

test('names without an ending leave every file to choose', () => {
  expect(acceptOf(['.zip', '-ubyte'])).toBe('');
});

test.each([
  [['.zip', '.tar.gz', '.npz'], 'zip, tar.gz or npz'],
  [['.npy'], 'npy'],
  [['.npy', '-ubyte'], 'npy or ubyte'],
  [[], ''],
])('%o reads %s', (endings, text) => expect(readable(endings)).toBe(text));

import { expect, test } from 'vitest';
import { matching, withNewLines } from './log';

test('new lines follow those that are known, each once', () => {
  expect(withNewLines([], ['a', 'b'], 9)).toEqual(['a', 'b']);
  expect(withNewLines(['a', 'b', 'c'], ['b', 'c', 'd'], 9)).toEqual(['a', 'b', 'c', 'd']);
  expect(withNewLines(['a', 'b'], ['c'], 9)).toEqual(['a', 'b', 'c']);
  expect(withNewLines(['a', 'b'], ['a', 'b'], 9)).toEqual(['a', 'b']);
  expect(withNewLines(['a', 'b'], ['c', 'd'], 3)).toEqual(['b', 'c', 'd']);
});

test('a search finds lines with all its words', () => {
  const lines = ['10:00 Round 3: picked', '10:01 checkpoint', '10:02 round 4: picked'];
  expect(matching(lines, 'ROUND 4')).toEqual([lines[2]]);
  expect(matching(lines, ' ')).toEqual(lines);
  expect(matching(lines, 'nothing')).toEqual([]);
});

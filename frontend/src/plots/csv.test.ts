import { expect, test } from 'vitest';
import { toCsv } from './csv';

test('quotes what needs it and keeps every digit', () => {
  expect(toCsv(['name', 'value'], [['a "b", c', 0.1 + 0.2]])).toBe('name,value\r\n"a ""b"", c",0.30000000000000004\r\n');
});

test('a missing value is an empty field', () => {
  expect(toCsv(['a', 'b', 'c'], [[null, undefined, 0]])).toBe('a,b,c\r\n,,0\r\n');
});

test('a class name cannot become a formula, a negative number stays one', () => {
  expect(toCsv(['n', 'v'], [['=1+1', -1]])).toBe("n,v\r\n'=1+1,-1\r\n");
});

import { expect, test } from 'vitest';
import { parseSettings } from './settings';

test('nothing is no setting', () => expect(parseSettings('  ')).toEqual({}));
test('an object is taken as it is', () => expect(parseSettings('{"width": 32}')).toEqual({ width: 32 }));
test.each(['{width: 32}', '[1]', '3', 'null'])('%s is refused with a reason', (text) => {
  expect(() => parseSettings(text)).toThrow(/JSON/);
});

import { expect, test } from 'vitest';
import { tabulate } from './tabulate';

test('single values share a table, nested ones under a dotted name, and the kind is left out', () => {
  expect(tabulate({ kind: 'toy', score: 0.5, group: { many: 1, few: null } })).toEqual([
    { name: 'values', table: { header: ['name', 'value'], rows: [['score', 0.5], ['group.many', 1], ['group.few', null]] } },
  ]);
});

test('lists of one length are columns of one table, others have their own', () => {
  const found = tabulate({ x: [1, 2], y: ['a', null], z: [3], none: [] });
  expect(found.map(({ name }) => name)).toEqual(['x, y', 'z', 'none']);
  expect(found[0]!.table).toEqual({ header: ['index', 'x', 'y'], rows: [[0, 1, 'a'], [1, 2, null]] });
  expect(found[2]!.table.rows).toEqual([]);
});

test('objects and lists in a list are rows', () => {
  const found = tabulate({ clusters: [{ size: 3 }, { size: 4, of: [1] }], counts: [[1, 2], [3]] });
  expect(found[0]).toEqual({ name: 'clusters', table: { header: ['size', 'of'], rows: [[3, null], [4, '[1]']] } });
  expect(found[1]).toEqual({ name: 'counts', table: { header: ['index', '0', '1'], rows: [[0, 1, 2], [1, 3, null]] } });
});

test('what is no object is shown too', () => {
  expect(tabulate(7)).toEqual([{ name: 'values', table: { header: ['name', 'value'], rows: [['result', 7]] } }]);
  expect(tabulate([1, 2])[0]!.table.rows).toEqual([[0, 1], [1, 2]]);
});

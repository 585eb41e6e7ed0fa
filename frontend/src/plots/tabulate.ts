import type { Cell, Table } from './csv';

export interface NamedTable {
  name: string;
  table: Table;
}

/**
 * A result of any shape as tables, for kinds that have no figure of their own.
 *
 * Single values share one table. Lists of one length are the columns of one table, since they mostly belong together.
 * A list of objects or of lists is a table by itself.
 */
export function tabulate(result: unknown): NamedTable[] {
  const leaves = flatten(result, '').filter(([name]) => name !== 'kind');
  const single: Cell[][] = [];
  const columns = new Map<number, [string, Cell[]][]>();
  const own: NamedTable[] = [];
  for (const [name, value] of leaves) {
    if (!Array.isArray(value)) single.push([name, cell(value)]);
    else if (value.length && value.every(Array.isArray)) own.push({ name, table: matrix(value) });
    else if (value.length && value.every(isObject)) own.push({ name, table: records(value) });
    else columns.set(value.length, [...(columns.get(value.length) ?? []), [name, value.map(cell)]]);
  }
  return [
    ...(single.length ? [{ name: 'values', table: { header: ['name', 'value'], rows: single } }] : []),
    ...[...columns].map(([length, named]) => ({ name: named.map(([name]) => name).join(', '), table: byRow(length, named) })),
    ...own,
  ];
}

/** Nested objects become dotted names. */
function flatten(value: unknown, name: string): [string, unknown][] {
  if (!isObject(value)) return [[name || 'result', value]];
  return Object.entries(value).flatMap(([key, inner]) => flatten(inner, name ? `${name}.${key}` : key));
}

function byRow(length: number, named: [string, Cell[]][]): Table {
  const rows = Array.from({ length }, (_, row): Cell[] => [row, ...named.map(([, values]) => values[row])]);
  return { header: ['index', ...named.map(([name]) => name)], rows };
}

function matrix(rows: unknown[][]): Table {
  const width = Math.max(...rows.map((row) => row.length));
  const places = Array.from({ length: width }, (_, column) => column);
  return {
    header: ['index', ...places.map(String)],
    rows: rows.map((row, index) => [index, ...places.map((column) => cell(row[column]))]),
  };
}

function records(rows: Record<string, unknown>[]): Table {
  const header = [...new Set(rows.flatMap(Object.keys))];
  return { header, rows: rows.map((row) => header.map((name) => cell(row[name]))) };
}

function cell(value: unknown): Cell {
  if (value === undefined || value === null) return null;
  return typeof value === 'object' ? JSON.stringify(value) : (value as Cell);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

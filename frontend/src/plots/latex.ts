import type { Cell, Table } from './csv';

const SPECIAL: Record<string, string> = {
  '\\': '\\textbackslash{}',
  '~': '\\textasciitilde{}',
  '^': '\\textasciicircum{}',
};

/** The numbers of a plot as a LaTeX table (package booktabs). Numbers have four significant digits; a missing value is a dash. */
export function toLatex({ header, rows }: Table): string {
  const numeric = header.map((_, column) => rows.some((row) => typeof row[column] === 'number'));
  const line = (cells: readonly Cell[]) => `${cells.map(cell).join(' & ')} \\\\`;
  return [
    `\\begin{tabular}{${numeric.map((is) => (is ? 'r' : 'l')).join('')}}`,
    '\\toprule',
    line(header.map((name) => name.replaceAll('_', ' '))),
    '\\midrule',
    ...rows.map(line),
    '\\bottomrule',
    '\\end{tabular}',
    '',
  ].join('\n');
}

function cell(value: Cell): string {
  if (value == null) return '--';
  if (typeof value === 'number') return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4)));
  return String(value).replace(/[\\~^&%$#_{}]/g, (sign) => SPECIAL[sign] ?? `\\${sign}`);
}

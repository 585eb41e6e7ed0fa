export type Cell = string | number | boolean | null | undefined;

/** The numbers of a plot, as its CSV and its table show them. */
export interface Table {
  header: string[];
  rows: Cell[][];
}

/** Rows as RFC 4180 text with a header line. Numbers keep every digit; a missing value is an empty field. */
export function toCsv(header: readonly string[], rows: readonly (readonly Cell[])[]): string {
  return [header, ...rows].map((row) => row.map(field).join(',')).join('\r\n') + '\r\n';
}

function field(cell: Cell): string {
  if (cell == null) return '';
  let text = String(cell);
  // Class names come from outside. A spreadsheet would run a text that begins like a formula.
  if (typeof cell === 'string' && /^[=+\-@\t\r]/.test(text)) text = `'${text}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

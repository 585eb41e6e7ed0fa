import { type Line, type Mark } from './lines';
import { domainOf, place, ticksWithin, type Domain } from './scales';

/** A plot of lines as a figure of a paper shows it: on white, with title, axes and legend. */
export interface LineFigure {
  title: string;
  x: readonly number[];
  xLabel: string;
  yLabel: string;
  lines: readonly Line[];
  marks?: readonly Mark[];
  /** What the marks are, for the legend. */
  marked?: string;
  /** The part of the horizontal axis that is shown. */
  range?: Domain;
}

const [WIDTH, HEIGHT] = [640, 400];
const [LEFT, RIGHT, TOP, AXIS] = [64, 16, 40, 48];
const INK = '#16202b';
const FAINT = '#8a949e';
const MARK = '#b35c00';
const FONT = 'font-family="Helvetica, Arial, sans-serif"';

/** The figure as the text of an SVG file. */
export function lineFigure({ title, x, xLabel, yLabel, lines, marks = [], marked, range }: LineFigure): string {
  const across: Domain = range ?? [x[0] ?? 0, x.at(-1) ?? 1];
  const within = (at: number) => at >= across[0] && at <= across[1];
  const shown = lines.flatMap(({ value }) => value.filter((one, i): one is number => one != null && within(x[i]!)));
  const up = domainOf(shown);
  const keys = [...(lines.length > 1 ? lines : []), ...(marked && marks.length ? [{ label: marked, color: MARK, dash: [3, 3] }] : [])];
  const below = TOP + HEIGHT + AXIS;
  const [right, floor] = [LEFT + WIDTH, TOP + HEIGHT];
  const toX = (at: number) => round(place(at, across, LEFT, right));
  const toY = (at: number) => round(place(at, up, floor, TOP));
  const parts = [
    text(title, LEFT, 24, 'font-size="15" font-weight="bold"'),
    ...ticksWithin(across, 6).map((tick) => line(toX(tick), floor, toX(tick), floor + 5) + text(number(tick), toX(tick), floor + 18, 'text-anchor="middle"')),
    ...ticksWithin(up).map((tick) => line(LEFT, toY(tick), right, toY(tick), '#dfe3e8') + text(number(tick), LEFT - 8, toY(tick) + 4, 'text-anchor="end"')),
    ...marks.filter(({ at }) => within(at)).map(({ at }) => line(toX(at), TOP, toX(at), floor, MARK, 'stroke-dasharray="3 3" stroke-opacity="0.6"')),
    ...lines.map((one) => drawn(one, x, within, toX, toY)),
    line(LEFT, floor, right, floor),
    line(LEFT, TOP, LEFT, floor),
    text(xLabel, LEFT + WIDTH / 2, floor + 38, 'text-anchor="middle"'),
    text(yLabel, 0, 0, `text-anchor="middle" transform="translate(18 ${TOP + HEIGHT / 2}) rotate(-90)"`),
    ...keys.map((key, row) => line(LEFT, below + 8 + 20 * row, LEFT + 26, below + 8 + 20 * row, key.color ?? FAINT, `stroke-width="2"${dashes(key.dash)}`) + text(key.label, LEFT + 34, below + 12 + 20 * row)),
  ];
  const [width, height] = [right + RIGHT, below + 20 * keys.length + 6];
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" ${FONT} font-size="12" fill="${INK}"><title>${escaped(title)}</title><rect width="100%" height="100%" fill="#fff"/>${parts.join('')}</svg>`;
}

/** A null breaks the line. Undefined does not: another line has a point there. */
function drawn(one: Line, x: readonly number[], within: (at: number) => boolean, toX: (at: number) => number, toY: (at: number) => number): string {
  const color = one.color ?? FAINT;
  let [path, dots, broken] = ['', '', true];
  one.value.forEach((value, i) => {
    if (value === undefined || !within(x[i]!)) return;
    if (value === null) {
      broken = true;
      return;
    }
    path += `${broken ? 'M' : 'L'}${toX(x[i]!)} ${toY(value)}`;
    if (one.marked || one.loose) dots += `<circle cx="${toX(x[i]!)}" cy="${toY(value)}" r="2" fill="${color}"/>`;
    broken = false;
  });
  return (one.loose ? '' : `<path d="${path}" fill="none" stroke="${color}" stroke-width="1.6" stroke-linejoin="round"${dashes(one.dash)}/>`) + dots;
}

const dashes = (dash?: readonly number[]) => (dash ? ` stroke-dasharray="${dash.join(' ')}"` : '');
const round = (value: number) => Math.round(value * 100) / 100;
const number = (value: number) => (Math.abs(value) >= 1e5 || (value !== 0 && Math.abs(value) < 1e-3) ? value.toExponential() : value.toLocaleString('en'));
const line = (x1: number, y1: number, x2: number, y2: number, stroke = INK, more = '') => `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" stroke="${stroke}" ${more}/>`;
const text = (content: string, x: number, y: number, more = '') => `<text x="${x}" y="${y}" ${more}>${escaped(content)}</text>`;

/** A text within XML. Names come from outside. */
export function escaped(content: string): string {
  // XML has no control characters, not even as references.
  const legal = content.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '');
  return legal.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

/** Places of points in pixels, and which points are where. Made once for each drawing, for any number of points. */
export interface Grid {
  x: Float64Array;
  y: Float64Array;
  cell: number;
  columns: number;
  rows: number;
  /** Where the points of each cell begin in `order`; one more at the end. */
  begins: Uint32Array;
  order: Uint32Array;
}

/** A grid over places within `width` x `height`, with square cells. Later points of a cell come later. */
export function gridOf(x: Float64Array, y: Float64Array, width: number, height: number, cell = 16): Grid {
  const [columns, rows] = [Math.max(1, Math.ceil(width / cell)), Math.max(1, Math.ceil(height / cell))];
  const clamp = (value: number, most: number) => Math.min(most - 1, Math.max(0, Math.floor(value / cell)));
  const cells = Uint32Array.from(x, (_, place) => clamp(y[place]!, rows) * columns + clamp(x[place]!, columns));
  const begins = new Uint32Array(columns * rows + 1);
  for (const at of cells) begins[at + 1]! += 1;
  for (let at = 1; at < begins.length; at += 1) begins[at]! += begins[at - 1]!;
  const next = begins.slice();
  const order = new Uint32Array(x.length);
  cells.forEach((at, place) => (order[next[at]!++] = place));
  return { x, y, cell, columns, rows, begins, order };
}

/** The point nearest to (x, y), and of equal ones the upper one. Undefined where none lies within `most`, at most a cell. */
export function nearestIn({ x, y, cell, columns, rows, begins, order }: Grid, atX: number, atY: number, most: number): number | undefined {
  const [column, row] = [Math.floor(atX / cell), Math.floor(atY / cell)];
  let found: number | undefined;
  let best = most * most;
  for (let r = Math.max(0, row - 1); r <= Math.min(rows - 1, row + 1); r += 1) {
    for (let c = Math.max(0, column - 1); c <= Math.min(columns - 1, column + 1); c += 1) {
      for (let i = begins[r * columns + c]!; i < begins[r * columns + c + 1]!; i += 1) {
        const place = order[i]!;
        const distance = (x[place]! - atX) ** 2 + (y[place]! - atY) ** 2;
        if (distance < best || (distance === best && place > (found ?? -1))) [found, best] = [place, distance];
      }
    }
  }
  return found;
}

export type Corner = readonly [x: number, y: number];

/** The points inside a closed line, by the even-odd rule, ascending. */
export function within({ x, y }: Pick<Grid, 'x' | 'y'>, outline: readonly Corner[]): number[] {
  if (outline.length < 3) return [];
  const found: number[] = [];
  for (let place = 0; place < x.length; place += 1) {
    const [px, py] = [x[place]!, y[place]!];
    let inside = false;
    for (let i = 0, before = outline.length - 1; i < outline.length; before = i, i += 1) {
      const [[ax, ay], [bx, by]] = [outline[i]!, outline[before]!];
      if (ay > py !== by > py && px < ((bx - ax) * (py - ay)) / (by - ay) + ax) inside = !inside;
    }
    if (inside) found.push(place);
  }
  return found;
}

/** The `count` points nearest to one of them, itself first. */
export function nearestTo({ x, y }: Pick<Grid, 'x' | 'y'>, place: number, count: number): number[] {
  const away = (other: number) => (x[other]! - x[place]!) ** 2 + (y[other]! - y[place]!) ** 2;
  return Array.from(x, (_, other) => other)
    .sort((a, b) => Number(b === place) - Number(a === place) || away(a) - away(b))
    .slice(0, count);
}

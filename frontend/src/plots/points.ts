/** One mark of a scatter plot. */
export interface Point {
  x: number;
  y: number;
  color: string;
  /** In pixels. For a cross it is half the width. */
  radius: number;
  shape: 'dot' | 'cross';
  /** The description in one sentence, for the detail line and screen readers. */
  story: string;
}

/** The marks of a plot with very many of them. Later ones lie on top. What only a reader of one mark needs is made then. */
export interface Marks {
  x: Float64Array;
  y: Float64Array;
  /** A colour each, perhaps by its name in the style sheet. */
  color: string[];
  /** 1 for a cross, 0 for a dot. */
  cross: Uint8Array;
  story: (at: number) => string;
  image: (at: number) => string | undefined;
}

/** One entry of the legend. */
export interface Key {
  name: string;
  color: string;
  shape: Point['shape'];
}

/** The place of the point nearest to (x, y), in pixels. Undefined when none lies within `most`. */
export function nearest(points: readonly { x: number; y: number }[], x: number, y: number, most: number): number | undefined {
  let found: number | undefined;
  let best = most * most;
  points.forEach((point, place) => {
    const distance = (point.x - x) ** 2 + (point.y - y) ** 2;
    if (distance <= best) [found, best] = [place, distance];
  });
  return found;
}

/** One mark of a scatter plot. */
export interface Point {
  x: number;
  y: number;
  color: string;
  /** Pixels; of a cross, half its width. */
  radius: number;
  shape: 'dot' | 'cross';
  /** The whole story in one sentence: detail line and screen reader. */
  story: string;
}

/** What a kind of mark stands for. */
export interface Key {
  name: string;
  color: string;
  shape: Point['shape'];
}

/** The place of the point that lies nearest to (x, y), all in pixels and no farther than `most`. */
export function nearest(points: readonly { x: number; y: number }[], x: number, y: number, most: number): number | undefined {
  let found: number | undefined;
  let best = most * most;
  points.forEach((point, place) => {
    const distance = (point.x - x) ** 2 + (point.y - y) ** 2;
    if (distance <= best) [found, best] = [place, distance];
  });
  return found;
}

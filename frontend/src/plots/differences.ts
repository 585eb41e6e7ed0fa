import type { Look } from './palette';

/** One place on the axis of a plot of differences: a group or a class, with a dot for each setting. */
export interface DifferencePlace {
  /** It becomes `data-place`. */
  id: string;
  name: string;
  /** Whether it is a mean over classes. These come first, apart from the classes. */
  group: boolean;
  dots: (DotLook & { value: number | null; low: number | null; high: number | null; story: string })[];
}

export type DotLook = Pick<Look, 'color' | 'shape'>;

/** The outline of a dot around (x, y), as the path of an SVG. All shapes have about the same area. */
export function dotPath(shape: Look['shape'], x: number, y: number, radius: number): string {
  switch (shape) {
    case 'circle':
      return `M${x - radius} ${y}a${radius} ${radius} 0 1 0 ${2 * radius} 0a${radius} ${radius} 0 1 0 ${-2 * radius} 0z`;
    case 'square': {
      const half = radius * 0.89;
      return `M${x - half} ${y - half}h${2 * half}v${2 * half}h${-2 * half}z`;
    }
    case 'diamond': {
      const half = radius * 1.25;
      return `M${x} ${y - half}l${half} ${half}l${-half} ${half}l${-half} ${-half}z`;
    }
    case 'triangle': {
      const half = radius * 1.3;
      return `M${x} ${y - half}l${half} ${2 * half * 0.87}h${-2 * half}z`;
    }
  }
}

/** The ends of the axis: 0 in the middle, and room for all dots and intervals. */
export function reachOf(places: readonly DifferencePlace[]): number {
  const ends = places.flatMap(({ dots }) => dots.flatMap(({ value, low, high }) => [value, low, high]));
  const farthest = Math.max(0, ...ends.map((end) => Math.abs(end ?? 0)));
  return farthest * 1.08 || 0.01;
}

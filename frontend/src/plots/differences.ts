/** One place on the axis of a plot of differences: a group or a class, with a dot for each setting. */
export interface DifferencePlace {
  /** It becomes `data-place`. */
  id: string;
  name: string;
  /** Whether it is a mean over classes. These come first, apart from the classes. */
  group: boolean;
  dots: { color: string; value: number | null; low: number | null; high: number | null; story: string }[];
}

/** The ends of the axis: 0 in the middle, and room for all dots and intervals. */
export function reachOf(places: readonly DifferencePlace[]): number {
  const ends = places.flatMap(({ dots }) => dots.flatMap(({ value, low, high }) => [value, low, high]));
  const farthest = Math.max(0, ...ends.map((end) => Math.abs(end ?? 0)));
  return farthest * 1.08 || 0.01;
}

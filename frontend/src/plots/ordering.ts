export type GroupName = 'many' | 'medium' | 'few';
export type Groups = Record<GroupName, number[]>;

/** Classes from head to tail: the most training images first. Ties go by index, so that the order is stable. */
export function headToTail(counts: readonly number[]): number[] {
  return counts.map((_, index) => index).sort((a, b) => counts[b]! - counts[a]! || a - b);
}

export interface Band {
  name: GroupName;
  /** Position of the first and the last class of the band in the plot's order. */
  first: number;
  last: number;
}

/** Where the groups lie in the order of a plot. A group without classes has no band. */
export function groupBands(order: readonly number[], groups: Groups): Band[] {
  return (['many', 'medium', 'few'] as const).flatMap((name) => {
    const places = groups[name].map((index) => order.indexOf(index)).filter((place) => place >= 0);
    return places.length ? [{ name, first: Math.min(...places), last: Math.max(...places) }] : [];
  });
}

/** Groups by training counts, as `colt_core.data.groups` makes them where thresholds are set. */
export function groupsByCount(counts: readonly number[], { low = 20, high = 100 }: { low?: number; high?: number }): Groups {
  const of = (belongs: (count: number) => boolean) => counts.flatMap((count, index) => (belongs(count) ? [index] : []));
  return { many: of((n) => n > high), medium: of((n) => n >= low && n <= high), few: of((n) => n < low) };
}

/** An image of a list whose server compared them. */
export interface Listed {
  index: number;
  alike_to?: number | null;
}

/** An image of a gallery, and those that nearly equal it. */
export interface Fold<T> {
  sample: T;
  alike: T[];
}

/** A list with near-identical images folded under the first of each. The order stays. */
export function folded<T extends Listed>(samples: readonly T[]): Fold<T>[] {
  const folds = new Map<number, Fold<T>>();
  for (const sample of samples) {
    const first = sample.alike_to == null ? undefined : folds.get(sample.alike_to);
    if (first) first.alike.push(sample);
    else folds.set(sample.index, { sample, alike: [] });
  }
  return [...folds.values()];
}

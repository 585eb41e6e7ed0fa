import type { OodSample } from '../api/types';

/** An image of a gallery, and those that nearly equal it. */
export interface Fold {
  sample: OodSample;
  alike: OodSample[];
}

/** A list with near-identical images folded under the first of each. The order stays. */
export function folded(samples: readonly OodSample[]): Fold[] {
  const folds = new Map<number, Fold>();
  for (const sample of samples) {
    const first = sample.alike_to == null ? undefined : folds.get(sample.alike_to);
    if (first) first.alike.push(sample);
    else folds.set(sample.index, { sample, alike: [] });
  }
  return [...folds.values()];
}

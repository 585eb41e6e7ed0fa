import type { GroupName } from './ordering';

/** One class's bar. Bars are drawn in the order given. */
export interface Bar {
  /** Class index; becomes `data-class`. */
  id: number;
  name: string;
  /** Training images. */
  count: number;
  /** Null where there is nothing to measure: no bar, but still a place. */
  value: number | null;
  /** Ends of the whisker, where the value is an estimate. */
  low?: number;
  high?: number;
  /** The whole story in one sentence: title, detail line and screen reader. */
  story: string;
}

/** A shaded stretch of bars with a name and, where it has one, a mean drawn across. */
export interface Stretch {
  name: GroupName;
  first: number;
  last: number;
  mean?: number;
  caption: string;
}

/** Round steps for an axis from 0 to `top`: about `wanted` of them, each 1, 2 or 5 times a power of ten. */
export function ticks(top: number, wanted = 5): number[] {
  if (!(top > 0)) return [0];
  const rough = top / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough * 0.999)!;
  return Array.from({ length: Math.floor(top / step + 1e-9) + 1 }, (_, i) => Number((i * step).toPrecision(12)));
}

import type { GroupName } from './ordering';

/** A class's bar. Bars are drawn in the order given. */
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
  /** Where it is not the plot's. */
  color?: string;
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

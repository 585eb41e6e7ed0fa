import type { GroupName } from './ordering';

/** The bar of one class. Bars are drawn in the order given. */
export interface Bar {
  /** The class index. It becomes `data-class`. */
  id: number;
  name: string;
  /** Training images. Null where the number is not known. */
  count: number | null;
  /** Null where nothing was measured. The place then has no bar. */
  value: number | null;
  /** Ends of the whisker, where the value is an estimate. */
  low?: number;
  high?: number;
  /** Another value to compare with, drawn as a line across. */
  mark?: number;
  /** Where it differs from the color of the plot. */
  color?: string;
  /** The description in one sentence, for the tooltip, the detail line and screen readers. */
  story: string;
}

/** A shaded stretch of bars with a name. Its mean, where it has one, is drawn across. */
export interface Stretch {
  name: GroupName;
  first: number;
  last: number;
  mean?: number;
  caption: string;
}

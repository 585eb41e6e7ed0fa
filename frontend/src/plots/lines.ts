/** One line of a plot, over the x that all its lines share. */
export interface Line {
  label: string;
  /** Null where there is no value: a gap. */
  value: (number | null)[];
  /** None: a faint line, for what the others are compared with. */
  color?: string;
  /** Lengths of dash and gap; solid without. */
  dash?: number[];
  /** Whether every point has a mark of its own. */
  marked?: boolean;
}

/** Bounds between the colours of a ratio, symmetric about 1 when it is read as a factor. */
const BOUNDS = [0.25, 0.5, 0.8, 1.25, 2, 4] as const;

/** The bounds as a legend writes them, between one colour and the next. */
export const BOUND_NAMES = ['¼', '½', '0.8', '1.25', '2', '4'] as const;
export const NUM_LEVELS = BOUNDS.length + 1;

/** The colour of a ratio: 0 is far below 1, 3 is about 1, 6 is far above. */
export function levelOf(ratio: number): number {
  const level = BOUNDS.findIndex((bound) => ratio < bound);
  return level < 0 ? BOUNDS.length : level;
}

/**
 * The cells of each colour as one SVG path, so that a map of 365 x 365 is seven elements and not 133,225.
 * `rows[i][j]` becomes a unit square at (j, i). Null is left out.
 */
export function levelPaths(rows: readonly (readonly (number | null)[])[]): string[] {
  const paths: string[][] = Array.from({ length: NUM_LEVELS }, () => []);
  rows.forEach((row, i) =>
    row.forEach((value, j) => {
      if (value !== null) paths[levelOf(value)]!.push(`M${j} ${i}h1v1h-1z`);
    }),
  );
  return paths.map((path) => path.join(''));
}

/** The bins from `from` to `to`, in either order, as bounds of the tailness. Null when there is no bin. */
export function boundsOf(edges: readonly number[], from: number, to: number): { min: number; max: number } | null {
  const last = edges.length - 2;
  if (last < 0) return null;
  const clamp = (bin: number) => Math.min(last, Math.max(0, bin));
  return { min: edges[clamp(Math.min(from, to))]!, max: edges[clamp(Math.max(from, to)) + 1]! };
}

/** The first and the last bin that lie within the bounds; an empty bound leaves its end open. */
export function binsWithin(edges: readonly number[], min: string, max: string): [first: number, last: number] {
  const last = Math.max(0, edges.length - 2);
  const within = edges.slice(0, -1).flatMap((edge, bin) => {
    const middle = (edge + edges[bin + 1]!) / 2;
    return (min === '' || middle >= Number(min)) && (max === '' || middle <= Number(max)) ? [bin] : [];
  });
  return within.length ? [within[0]!, within.at(-1)!] : [0, last];
}

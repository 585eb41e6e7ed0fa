/** The classes that a cluster has more of than the data: at most `most` of them, the highest lift first. */
export function topLifts(lift: readonly (number | null)[], names: readonly string[], most = 3): { name: string; lift: number }[] {
  return lift
    .map((value, index) => ({ name: names[index] ?? String(index), lift: value ?? 0 }))
    .filter((one) => one.lift > 1)
    .sort((a, b) => b.lift - a.lift)
    .slice(0, most);
}

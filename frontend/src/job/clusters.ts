/** The largest classes of a cluster: at most `most` of them, each with its share of the images. */
export function topClasses(classCounts: readonly number[], names: readonly string[], most = 3): { name: string; share: number }[] {
  const total = classCounts.reduce((sum, count) => sum + count, 0);
  return classCounts
    .map((count, index) => ({ name: names[index] ?? String(index), share: total ? count / total : 0 }))
    .filter(({ share }) => share > 0)
    .sort((a, b) => b.share - a.share)
    .slice(0, most);
}

/** Lines of a log with newer ones behind them. The first of those may be known already: they are not told twice. */
export function withNewLines(known: readonly string[], found: readonly string[], most: number): string[] {
  let shared = Math.min(known.length, found.length);
  while (shared > 0 && known.slice(-shared).some((line, place) => line !== found[place])) shared -= 1;
  return [...known, ...found.slice(shared)].slice(-most);
}

/** The lines that hold all words of a search, in either case. */
export function matching(lines: readonly string[], search: string): string[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  return lines.filter((line) => words.every((word) => line.toLowerCase().includes(word)));
}

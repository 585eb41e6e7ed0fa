/**
 * What a file chooser's `accept` says for these endings. Some choosers look at the last part alone, so that `.tar.gz`
 * needs `.gz` beside it. Files without an ending cannot be named, so that all are accepted then. The server refuses what
 * does not fit.
 */
export function acceptOf(endings: readonly string[]): string {
  if (endings.some((ending) => !ending.startsWith('.'))) return '';
  return [...new Set(endings.flatMap((ending) => [ending, ending.slice(ending.lastIndexOf('.'))]))].join(',');
}

/** Endings as a sentence names them: `zip, tar.gz or npz`. */
export function readable(endings: readonly string[]): string {
  const names = endings.map((ending) => ending.replace(/^[.-]/, ''));
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`;
}

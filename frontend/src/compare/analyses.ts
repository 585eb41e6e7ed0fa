import type { Analysis } from '../api/types';

/** The newest analysis of each kind that has succeeded. The list has the newest first. */
export function newestByKind(analyses: readonly Analysis[]): Map<string, Analysis> {
  const found = new Map<string, Analysis>();
  for (const one of analyses) if (one.status === 'succeeded' && !found.has(one.kind)) found.set(one.kind, one);
  return found;
}

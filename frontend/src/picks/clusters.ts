import type { Round, RoundDetails } from '../api/types';
import { decimal, percent } from '../format';

/** A cluster of a round, and the shares of classes once they are there. */
type ClusterInfo = Round['clusters'][number] & Partial<Pick<RoundDetails['clusters'][number], 'few_share' | 'lift'>>;
export type Cluster = ClusterInfo & { index: number };

/** Clusters from the most tail-like to the least, as the first ones get most of the budget. */
export function tailFirst({ clusters }: { clusters: readonly ClusterInfo[] }): Cluster[] {
  return clusters
    .map((cluster, index) => ({ ...cluster, index }))
    .sort((a, b) => (b.tailness ?? -Infinity) - (a.tailness ?? -Infinity));
}

/** `Few 4.1 %, 1.9 times the base rate`; null where classes are not known. */
export function fewStory(share: number | null | undefined, base: number | null | undefined): string | null {
  if (share == null) return null;
  return `Few ${percent(share)}${base ? `, ${decimal(share / base, 1)} times the base rate` : ''}`;
}

/** The classes that a cluster has more of than the data: at most `most` of them, the highest lift first. */
export function topLifts(lift: readonly (number | null)[], names: readonly string[], most = 3): { name: string; lift: number }[] {
  return lift
    .map((value, index) => ({ name: names[index] ?? String(index), lift: value ?? 0 }))
    .filter((one) => one.lift > 1)
    .sort((a, b) => b.lift - a.lift)
    .slice(0, most);
}

/** `7 ×3.2, 9 ×2.0` */
export function liftsText(lift: readonly (number | null)[], names: readonly string[]): string {
  return topLifts(lift, names).map((one) => `${one.name} ×${decimal(one.lift, 1)}`).join(', ');
}

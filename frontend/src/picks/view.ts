import type { OodFilters } from '../api/calls';
import type { Round } from '../api/types';

export const VIEWS = [
  ['clusters', 'Picks by cluster'],
  ['changes', 'Entered, stayed, left'],
  ['all', 'All images'],
] as const;
export type View = (typeof VIEWS)[number][0];

export const ORDERS = [
  ['-tailness', 'most tail-like first'],
  ['tailness', 'least tail-like first'],
  ['-similarity', 'nearest to its cluster first'],
] as const;

export const CHANGES = [
  ['entered', 'Entered', 'picked in this round, and not in the one before'],
  ['stayed', 'Stayed', 'picked in both'],
  ['left', 'Left', 'picked in the round before alone'],
] as const;

/** Parts of the address that narrow the list of all images. */
export const FILTERS = ['cluster', 'picked', 'change', 'min', 'max', 'order', 'cursor'] as const;

/** The view that an address asks for. One with a filter is a list, whatever else it says. */
export function viewOf(query: URLSearchParams): View {
  const asked = VIEWS.find(([view]) => view === query.get('view'))?.[0];
  return asked ?? (FILTERS.some((name) => query.has(name)) ? 'all' : 'clusters');
}

/** The round that an address asks for, or the last. */
export function roundOf(query: URLSearchParams, rounds: readonly Round[]): Round | undefined {
  return rounds.find(({ round }) => round === Number(query.get('round'))) ?? rounds.at(-1);
}

export function filtersOf(query: URLSearchParams, round: number): OodFilters {
  return {
    round,
    cluster: query.get('cluster') ?? '',
    selected: query.get('picked') ?? '',
    change: CHANGES.find(([change]) => change === query.get('change'))?.[0] ?? '',
    min: query.get('min') ?? '',
    max: query.get('max') ?? '',
    order: ORDERS.find(([order]) => order === query.get('order'))?.[0] ?? '-tailness',
  };
}

import type { ExperimentRun, ResultRow, Results } from '../api/types';
import { isFinal } from '../status';
import { percent, points } from '../format';
import type { Table } from '../plots/csv';
import type { DifferencePlace } from '../plots/differences';
import { headToTail } from '../plots/ordering';
import { looksOf, type Look } from '../plots/palette';

/** The measures of all classes together, as the tables name them. All are shares of 1. */
export const METRICS = [
  ['all', 'All', 'Mean of the per-class accuracies'],
  ['many', 'Many', 'Mean over the classes with the most training images'],
  ['medium', 'Medium', 'Mean over the classes in between'],
  ['few', 'Few', 'Mean over the classes with the fewest training images'],
  ['std', 'Std', 'Standard deviation of the three group means, in points. Lower is more even.'],
] as const;
const CLASS = 'class/';

/** An arm with its rows by metric. */
export interface ArmResults {
  arm: string;
  rows: Map<string, ResultRow>;
  /** It follows from the arm's place in the experiment, whichever arm is the baseline. */
  look: Look;
}

/** The arms, in the order of the experiment. */
export function armsOf({ rows }: Pick<Results, 'rows'>): ArmResults[] {
  const names = [...new Set(rows.map(({ arm }) => arm))];
  const looks = looksOf(names.length);
  return names.map((arm, place) => ({
    arm,
    rows: new Map(rows.filter((row) => row.arm === arm).map((row) => [row.metric, row])),
    look: looks[place]!,
  }));
}

/** What a row says of its difference: the verdict in the API's words, or why there is none. Empty for the baseline. */
export function wordsOf({ pairs, verdict, no_interval }: ResultRow): string {
  if (pairs === null) return '';
  if (verdict === null) return no_interval ?? 'no verdict';
  return pairs < 2 ? (no_interval ?? verdict) : verdict;
}

export function intervalText({ interval }: Pick<ResultRow, 'interval'>): string {
  return interval ? `${points(interval[0])} to ${points(interval[1])}` : '';
}

/** `71.2 %`, or points for Std. */
export function meanText({ metric, mean }: Pick<ResultRow, 'metric' | 'mean'>): string {
  return metric === 'std' && mean !== null ? (100 * mean).toFixed(2) : percent(mean);
}

/** Dots of the groups around 0. */
export function groupPlaces(arms: readonly ArmResults[]): DifferencePlace[] {
  return METRICS.map(([metric, name]) => ({ id: metric, name, group: true, dots: arms.map((arm) => dot(arm, metric, name)) }));
}

/** Dots of the classes around 0, from head to tail. Classes that the counts do not name come last. */
export function classPlaces(arms: readonly ArmResults[], order: readonly string[]): DifferencePlace[] {
  const known = [...new Set(arms.flatMap(({ rows }) => [...rows.keys()]))].filter((metric) => metric.startsWith(CLASS)).map((metric) => metric.slice(CLASS.length));
  const ordered = [...order.filter((name) => known.includes(name)), ...known.filter((name) => !order.includes(name))];
  return ordered.map((name) => ({ id: CLASS + name, name, group: false, dots: arms.map((arm) => dot(arm, CLASS + name, name)) }));
}

interface Counted {
  class_names: string[] | null;
  class_counts: number[] | null;
}

/** Class names by their training images over all data sets, the most first. */
export function classOrder(datasets: readonly Counted[]): string[] {
  const counts = new Map<string, number>();
  for (const { class_names, class_counts } of datasets) {
    class_counts?.forEach((count, index) => {
      const name = class_names?.[index] ?? String(index);
      counts.set(name, (counts.get(name) ?? 0) + count);
    });
  }
  const names = [...counts.keys()];
  return headToTail([...counts.values()]).map((index) => names[index]!);
}

function dot({ arm, rows, look }: ArmResults, metric: string, name: string): DifferencePlace['dots'][number] {
  const row = rows.get(metric);
  const value = row?.difference ?? null;
  const interval = row ? intervalText(row) : '';
  const sure = interval && ` (95 %: ${interval})`;
  const story = row && value !== null ? `${points(value)} points${sure}, ${wordsOf(row)}` : 'no difference known';
  return { ...look, value, low: row?.interval?.[0] ?? null, high: row?.interval?.[1] ?? null, story: `${name}, ${arm}: ${story}` };
}

/** Every number of these rows, in points. */
export function resultsTable(rows: readonly ResultRow[]): Table {
  const times = (value: number | null | undefined) => (value == null ? null : value * 100);
  return {
    header: ['arm', 'metric', 'n', 'mean', 'sd', 'pairs', 'difference', 'low', 'high', 'verdict'],
    rows: rows.map((row) => [
      row.arm, row.metric, row.n, times(row.mean), times(row.sd), row.pairs, times(row.difference),
      times(row.interval?.[0]), times(row.interval?.[1]), wordsOf(row),
    ]),
  };
}

/** What is missing and will not come by itself, and how many runs still wait or run. */
export function missingOf(missing: Results['missing'], jobs: readonly ExperimentRun[]): { stopped: Results['missing']; underWay: number } {
  const waits = new Set(jobs.flatMap(({ job_id, status }) => (job_id && status && !isFinal(status) ? [job_id] : [])));
  const stopped = missing.filter(({ job_id }) => job_id === null || !waits.has(job_id));
  return { stopped, underWay: missing.length - stopped.length };
}

export const ofClasses = ({ metric }: ResultRow): boolean => metric.startsWith(CLASS);

import type { Comparison, Evaluation } from '../api/types';
import { points } from '../format';
import type { Table } from '../plots/csv';
import type { DifferencePlace, DotLook } from '../plots/differences';
import { headToTail } from '../plots/ordering';
import type { Run } from './runs';

type Against = NonNullable<Comparison['against']>;
type Setting = Against['settings'][number];
type Row = Setting['rows'][number];

/** A setting beside the baseline. It looks as its first run does. */
export interface Compared extends DotLook {
  label: string;
  setting: Setting;
}

const NAMES: Record<string, string> = { all: 'All', many: 'Many', medium: 'Medium', few: 'Few', std: 'Std' };

/** `name`, or `name and 2 more seeds`. */
export function settingLabel(setting: Setting, runs: readonly Run[]): string {
  const first = runs.find(({ id }) => id === setting.job_ids[0]);
  const more = setting.job_ids.length - 1;
  return `${first?.label ?? setting.job_ids[0]}${more ? ` and ${more} more ${more === 1 ? 'seed' : 'seeds'}` : ''}`;
}

/** All settings but the baseline's own. */
export function comparedOf(against: Against, runs: readonly Run[]): Compared[] {
  return against.settings.slice(1).map((setting) => {
    const { color, shape } = runs.find(({ id }) => id === setting.job_ids[0])!;
    return { label: settingLabel(setting, runs), color, shape, setting };
  });
}

/** What a row says of its difference: the verdict where there is one, or why there is none. */
export function verdictOf(row: Row, setting: Setting): string {
  if (setting.no_verdict !== null) return 'no verdict';
  if (row.verdict !== null) return row.verdict;
  return row.difference === null ? '' : 'equal in all pairs: no interval';
}

export function intervalText(row: Pick<Row, 'interval'>): string {
  return row.interval ? `${points(row.interval[0]!)} to ${points(row.interval[1]!)}` : '';
}

/** The summary rows, each with what every setting has for it. */
export function summaryRows(compared: readonly Compared[]): { metric: string; name: string; rows: (Row | undefined)[] }[] {
  return Object.entries(NAMES).map(([metric, name]) => ({
    metric,
    name,
    rows: compared.map(({ setting }) => setting.rows.find((row) => row.metric === metric)),
  }));
}

/** The places of the plot: groups, then classes from head to tail. */
export function placesOf(compared: readonly Compared[], evaluations: readonly (Evaluation | null)[]): DifferencePlace[] {
  const groups = summaryRows(compared)
    .filter(({ metric }) => metric !== 'std')
    .map(({ metric, name, rows }) => ({ id: metric, name, group: true, dots: rows.map((row, place) => dot(row, name, compared[place]!)) }));
  const classes = compared.find(({ setting }) => setting.classes?.length)?.setting.classes ?? [];
  const counts = evaluations.find((evaluation) => evaluation?.class_counts)?.class_counts;
  const order = counts?.length === classes.length ? headToTail(counts) : classes.map((_, index) => index);
  const ordered = order.map((index) => {
    const name = classes[index]!.metric.replace(/^class\//, '');
    return { id: `class-${index}`, name, group: false, dots: compared.map((one) => dot(one.setting.classes?.[index], name, one)) };
  });
  return [...groups, ...ordered];
}

function dot(row: Row | undefined, name: string, { label, color, shape, setting }: Compared): DifferencePlace['dots'][number] {
  const value = row?.difference ?? null;
  const interval = row ? intervalText(row) : '';
  const sure = interval && ` (95 %: ${interval})`;
  const story = row && value !== null ? `${points(value)} points${sure}, ${verdictOf(row, setting)}` : 'no difference known';
  return { color, shape, value, low: row?.interval?.[0] ?? null, high: row?.interval?.[1] ?? null, story: `${name}, ${label}: ${story}` };
}

/** Every number, in points. */
export function differencesTable(compared: readonly Compared[]): Table {
  const times = (value: number | null | undefined) => (value == null ? null : value * 100);
  return {
    header: ['setting', 'metric', 'pairs', 'mean', 'sd', 'difference', 'low', 'high', 'verdict'],
    rows: compared.flatMap(({ label, setting }) =>
      [...setting.rows, ...(setting.classes ?? [])].map((row) => [
        label, row.metric, row.n, times(row.mean), times(row.sd), times(row.difference),
        times(row.interval?.[0]), times(row.interval?.[1]), verdictOf(row, setting),
      ]),
    ),
  };
}

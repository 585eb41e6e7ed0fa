import type { NewDataset } from '../api/types';

/** The parts of a data set whose images a list can name. */
export const LISTED = ['train', 'val', 'test'] as const;
export type Listed = (typeof LISTED)[number];

/** How a labelled data set is read and cut, as the form holds it. Empty fields are not sent. */
export interface DataSettings {
  maxPerClass: number | null;
  order: 'index' | 'random';
  tailSeed: number | null;
  testFraction: number | null;
  seed: number | null;
  table: { file: string; path: string; label: string; split: string };
}

export const plainData = (): DataSettings => ({
  maxPerClass: null,
  order: 'index',
  tailSeed: null,
  testFraction: null,
  seed: null,
  table: { file: '', path: '', label: '', split: '' },
});

/** What the form says of the long tail beside its profile. */
export function sentTail({ maxPerClass, order, tailSeed }: DataSettings) {
  return {
    ...(maxPerClass !== null && { max_per_class: maxPerClass }),
    ...(order !== 'index' && { order }),
    ...(tailSeed !== null && { seed: tailSeed }),
  };
}

/** The part of the request that says how the data are read: only what differs from the defaults. `lists` are ids of uploads. */
export function sentData({ testFraction, seed, table }: DataSettings, lists: Partial<Record<Listed, string>>) {
  const columns = Object.fromEntries(Object.entries(table).filter(([, value]) => value));
  return {
    ...(testFraction !== null && { test_fraction: testFraction }),
    ...(seed !== null && { seed }),
    ...(Object.keys(columns).length && { table: columns }),
    ...(Object.keys(lists).length && { lists }),
  };
}

type Spec = Partial<Pick<NewDataset, 'long_tail' | 'test_fraction' | 'seed' | 'table'>>;

/** The form's settings of a registration that there was. */
export function dataOf({ long_tail, test_fraction, seed, table }: Spec): DataSettings {
  const plain = plainData();
  const columns = Object.entries(table ?? {}).filter(([, value]) => value);
  return {
    maxPerClass: long_tail?.max_per_class ?? null,
    order: long_tail?.order ?? 'index',
    tailSeed: long_tail?.seed || null,
    testFraction: test_fraction === 0.2 ? null : (test_fraction ?? null),
    seed: seed || null,
    table: { ...plain.table, ...(Object.fromEntries(columns) as Partial<DataSettings['table']>) },
  };
}

import type { Evaluation } from '../api/types';
import type { Table } from '../plots/csv';

/** Accuracies of one probe with equal settings over checkpoints. */
export interface OverEpochs {
  epochs: number[];
  /** One line for each measure, in 0..1. */
  lines: { name: string; values: (number | null)[] }[];
}

const MEASURES: [name: string, of: (evaluation: Evaluation) => number | null | undefined][] = [
  ['All, over classes', (e) => e.balanced_accuracy],
  ['Many', (e) => e.group_accuracy?.many],
  ['Medium', (e) => e.group_accuracy?.medium],
  ['Few', (e) => e.group_accuracy?.few],
];

/**
 * The evaluations of a kind with the settings of its newest one, which alone can be set side by side. Null where they
 * are of fewer than two checkpoints.
 */
export function overEpochs(evaluations: readonly Evaluation[], kind: string): OverEpochs | null {
  const done = evaluations.filter((one) => one.kind === kind && one.status === 'succeeded' && one.balanced_accuracy !== null);
  const newest = [...done].sort((a, b) => b.created_at.localeCompare(a.created_at));
  const settings = JSON.stringify(newest[0]?.config);
  const alike = newest.filter(({ config }) => JSON.stringify(config) === settings);
  const byEpoch = new Map<number, Evaluation>();
  for (const one of alike) if (one.epoch !== null && !byEpoch.has(one.epoch)) byEpoch.set(one.epoch, one);
  const epochs = [...byEpoch.keys()].sort((a, b) => a - b);
  if (epochs.length < 2) return null;
  const lines = MEASURES.map(([name, of]) => ({ name, values: epochs.map((epoch) => of(byEpoch.get(epoch)!) ?? null) }));
  return { epochs, lines: lines.filter(({ values }) => values.some((value) => value !== null)) };
}

export function epochsTable({ epochs, lines }: OverEpochs): Table {
  return { header: ['epoch', ...lines.map(({ name }) => name)], rows: epochs.map((epoch, place) => [epoch, ...lines.map(({ values }) => values[place])]) };
}

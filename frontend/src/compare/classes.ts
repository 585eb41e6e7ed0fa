import type { Evaluation } from '../api/types';
import { classResults, toBar, type ClassResult } from '../job/accuracy';
import type { Bar } from '../plots/bars';
import type { Table } from '../plots/csv';
import type { Groups } from '../plots/ordering';
import type { Run } from './runs';

/** A run and its evaluation by one probe. */
export interface Measured {
  run: Run;
  evaluation: Evaluation;
}

export interface ClassesOfRun {
  run: Run;
  /** One result for each class, from head to tail. */
  results: ClassResult[];
}

type Named = { class_names: string[] | null; groups: Groups | null };

export function resultsOf(measured: readonly Measured[], named: Named): ClassesOfRun[] {
  return measured.map(({ run, evaluation }) => ({ run, results: classResults(evaluation, named) }));
}

/** The bars of each class, side by side in the order of the runs. */
export function barsOf(all: readonly ClassesOfRun[]): Bar[] {
  return (all[0]?.results ?? []).flatMap((_, place) =>
    all.map(({ run, results }) => {
      const bar = toBar(results[place]!);
      return { ...bar, color: run.color, story: `${run.label}: ${bar.story}` };
    }),
  );
}

/** One row for each class, from head to tail, and one column for each run. */
export function classesTable(all: readonly ClassesOfRun[]): Table {
  return {
    header: ['class', 'name', 'group', 'training_images', ...all.map(({ run }) => run.label)],
    rows: (all[0]?.results ?? []).map(({ index, name, group, trainCount }, place) => [
      index,
      name,
      group,
      trainCount,
      ...all.map(({ results }) => results[place]!.accuracy),
    ]),
  };
}

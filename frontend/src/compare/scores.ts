import type { Evaluation } from '../api/types';

/** One measure for all jobs. */
export interface Score {
  name: string;
  /** What it is a mean over, where that has to be said. */
  over: string;
  title: string;
  /** One entry for each job. Null where it was not measured. */
  values: (number | null)[];
}

type Maybe = Evaluation | null;

const MEASURES: [name: string, over: string, title: string, of: (evaluation: Evaluation) => number | null | undefined][] = [
  ['All', 'over classes', 'Mean of the per-class accuracies', (e) => e.balanced_accuracy],
  ['Accuracy', 'over images', 'Share of all test images that are right. Classes with more test images count more.', (e) => e.accuracy],
  ['Many', '', 'Mean over the classes with the most training images', (e) => e.group_accuracy?.many],
  ['Medium', '', 'Mean over the classes in between', (e) => e.group_accuracy?.medium],
  ['Few', '', 'Mean over the classes with the fewest training images', (e) => e.group_accuracy?.few],
  ['Std', 'of the groups', 'Population standard deviation of the three group means, in points. Lower is more even.', (e) => e.group_std],
];

export function scoresOf(evaluations: readonly Maybe[]): Score[] {
  return MEASURES.map(([name, over, title, of]) => {
    const values = evaluations.map((evaluation) => (evaluation && of(evaluation)) ?? null);
    return { name, over, title, values };
  });
}

/** Settings in which the probes differ, with their values: `protocol: fast, sgd`. */
export function unlikeSettings(evaluations: readonly Maybe[]): string[] {
  const configs = evaluations.flatMap((evaluation) => (evaluation ? [evaluation.config as Record<string, unknown>] : []));
  const names = [...new Set(configs.flatMap((config) => Object.keys(config)))];
  return names.flatMap((name) => {
    const values = new Set(configs.map((config) => JSON.stringify(config[name] ?? null)));
    return values.size > 1 ? [`${name.replaceAll('_', ' ')}: ${[...values].join(', ')}`] : [];
  });
}

/** Whether all evaluations have the same training images by class. Only then can they be compared class by class. */
export function sameClasses(evaluations: readonly Maybe[]): boolean {
  return new Set(evaluations.flatMap((evaluation) => (evaluation ? [JSON.stringify(evaluation.class_counts)] : []))).size <= 1;
}

import type { Dataset, Evaluation } from '../api/types';
import { integer, percent } from '../format';
import type { Bar, Stretch } from '../plots/bars';
import type { Table } from '../plots/csv';
import { groupBands, headToTail, type Groups } from '../plots/ordering';
import { wilson } from '../plots/wilson';

/** The result of one class: its bar in the plot and its row in the table and the CSV. */
export interface ClassResult {
  index: number;
  name: string;
  group: string;
  /** Null where the evaluation does not say. */
  trainCount: number | null;
  /** Images that the probe was fitted on. Null in results of earlier versions. */
  probeCount: number | null;
  testCount: number | null;
  /** Null for a class without test images. */
  accuracy: number | null;
  low: number | null;
  high: number | null;
}

type Measured = Pick<Evaluation, 'per_class_accuracy' | 'class_counts' | 'test_counts'> & Partial<Pick<Evaluation, 'probe'>>;
type Named = Pick<Dataset, 'class_names' | 'groups'>;

export function classResults(evaluation: Measured, dataset: Named): ClassResult[] {
  const accuracy = evaluation.per_class_accuracy ?? [];
  const trainCounts = evaluation.class_counts;
  const order = trainCounts ? headToTail(trainCounts) : accuracy.map((_, index) => index);
  return order.map((index) => {
    const own = accuracy[index] ?? null;
    const testCount = evaluation.test_counts?.[index] ?? null;
    const interval = testCount === null || own === null ? null : wilson(own, testCount);
    return {
      index,
      name: dataset.class_names?.[index] ?? String(index),
      group: Object.entries(dataset.groups ?? {}).find(([, members]) => members.includes(index))?.[0] ?? '',
      trainCount: trainCounts?.[index] ?? null,
      probeCount: evaluation.probe?.images_per_class[index] ?? null,
      testCount,
      accuracy: own,
      low: interval?.low ?? null,
      high: interval?.high ?? null,
    };
  });
}

/** A bar, with the value of a baseline beside it in words. */
export function withMark(bar: Bar, mark: number | null, name: string): Bar {
  return mark === null ? bar : { ...bar, mark, story: `${bar.story}; ${name}: ${percent(mark)}` };
}

export function toBar(result: ClassResult): Bar {
  const { index, name, trainCount, testCount, accuracy, low, high } = result;
  const sure = low === null ? '' : ` of ${integer(testCount)} test images (95 %: ${percent(low)} to ${percent(high)})`;
  const measured = accuracy === null ? 'no test images' : percent(accuracy) + sure;
  return {
    id: index,
    name,
    count: trainCount,
    value: accuracy,
    ...(low !== null && high !== null && { low, high }),
    story: `${name}, ${integer(trainCount)} training images: ${measured}`,
  };
}

/** What a probe was fitted on, in words: `490 images, 40 to 50 of each class`. Classes that it left out do not count. */
export function fittedOn(probe: Evaluation['probe']): string | null {
  if (!probe) return null;
  const counts = probe.images_per_class.filter((count) => count > 0);
  const [least, most] = [Math.min(...counts), Math.max(...counts)];
  const each = least === most ? integer(most) : `${integer(least)} to ${integer(most)}`;
  const asked = probe.shots !== null && least < probe.shots ? `, of ${integer(probe.shots)} asked for` : '';
  return `${integer(probe.images)} images, ${each} of each class${asked}`;
}

/** All numbers of the plot. */
export function classesTable(results: readonly ClassResult[]): Table {
  return {
    header: ['class', 'name', 'group', 'training_images', 'probe_images', 'test_images', 'accuracy', 'wilson_low', 'wilson_high'],
    rows: results.map((r) => [r.index, r.name, r.group, r.trainCount, r.probeCount, r.testCount, r.accuracy, r.low, r.high]),
  };
}

/** The groups as shaded stretches, with the means that the evaluation has. */
export function toStretches(results: ClassResult[], groups: Groups, means: Evaluation['group_accuracy']): Stretch[] {
  const order = results.map(({ index }) => index);
  return groupBands(order, groups).map((band) => {
    const mean = means?.[band.name] ?? null;
    return mean === null ? { ...band, caption: band.name } : { ...band, mean, caption: `${band.name} ${percent(mean)}` };
  });
}

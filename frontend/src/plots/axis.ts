import type { Series } from '../api/types';

/** What the horizontal axis of curves counts. */
export const AXES = ['step', 'epoch', 'time'] as const;
export type AxisKind = (typeof AXES)[number];

/** A step and what the axis says there. Between two of them it is in proportion. */
type Knot = readonly [step: number, at: number];

interface Run {
  epochs: number;
  steps: number;
}

/**
 * Epochs by step. All epochs between two rounds have as many steps: a round changes the number of images. A round's step is
 * the last before the epoch that it begins.
 */
export function epochKnots({ epochs, steps }: Run, rounds: readonly { epoch: number; step: number }[]): Knot[] {
  const begins = rounds.map(({ epoch, step }): Knot => [step, epoch - 1]);
  const knots: Knot[] = [[0, 0], ...begins, [steps, epochs]];
  return knots.filter(([step], place) => place === 0 || step > knots[place - 1]![0]);
}

/** Seconds of training by step: the sums of the durations of epochs. Where some are left out, their neighbours stand for them. */
export function timeKnots(seconds: Series[string] | undefined, epochs: readonly Knot[]): Knot[] {
  let [before, spent] = [0, 0];
  const knots: Knot[] = [[0, 0]];
  (seconds?.step ?? []).forEach((step, place) => {
    const epoch = interpolate(epochs, step);
    spent += seconds!.value[place]! * Math.max(0, epoch - before);
    before = epoch;
    knots.push([step, spent]);
  });
  return knots;
}

/** What the axis says at a step. Behind the last knot it goes on as between the last two. */
export function interpolate(knots: readonly Knot[], step: number): number {
  if (knots.length < 2) return knots[0]?.[1] ?? 0;
  let low = 0;
  let high = knots.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (knots[middle]![0] <= step) low = middle;
    else high = middle;
  }
  const [[from, begin], [to, end]] = [knots[low]!, knots[high]!];
  return begin + ((step - from) / (to - from)) * (end - begin);
}

/** The unit in which so many seconds are told, and how many of them it has. */
export function unitOfTime(most: number): { name: string; seconds: number } {
  if (most < 300) return { name: 's', seconds: 1 };
  return most < 3 * 3600 ? { name: 'min', seconds: 60 } : { name: 'h', seconds: 3600 };
}

/**
 * Exponential moving average, as in TensorBoard: `weight` in 0..1 is that of what came before. The first values are not pulled
 * towards 0.
 */
export function smoothed(values: readonly number[], weight: number): number[] {
  let [sum, total] = [0, 0];
  return values.map((value) => {
    sum = sum * weight + value * (1 - weight);
    total = total * weight + (1 - weight);
    return sum / total;
  });
}

interface Batches {
  /** Images of the training part. */
  images: number;
  /** Images of a batch. */
  batch: number;
  rounds: readonly { epoch: number; step: number; num_selected: number }[];
  epochs: readonly Knot[];
}

/**
 * Which steps have fewer images than the others: the last of a pass over the data. Their losses are not comparable, since a loss
 * grows with the number of negatives.
 */
export function shortBatches(steps: readonly number[], { images, batch, rounds, epochs }: Batches): boolean[] {
  const parts = [{ epoch: 1, step: 0, num_selected: 0 }, ...rounds].map(({ step, num_selected }) => {
    const all = images + num_selected;
    const rest = all % batch;
    const inEpoch = Math.round(1 / (interpolate(epochs, step + 1) - interpolate(epochs, step)));
    return { step, inPass: Math.floor(all / batch) + Number(rest >= 2), inEpoch, isShort: rest >= 2 };
  });
  let part = 0;
  return steps.map((step) => {
    while (parts[part + 1] && parts[part + 1]!.step < step) part += 1;
    const { step: first, inPass, inEpoch, isShort } = parts[part]!;
    return isShort && inPass > 1 && ((((step - first - 1) % inEpoch) + 1) % inPass === 0);
  });
}

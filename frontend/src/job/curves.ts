import type { Job, Round, Series } from '../api/types';
import { epochKnots, interpolate, shortBatches, smoothed, timeKnots, unitOfTime, type AxisKind } from '../plots/axis';
import type { Table } from '../plots/csv';
import { quantity, type Line } from '../plots/lines';

type Curve = Series[string];
type Rounds = Pick<Round, 'round' | 'epoch' | 'step' | 'num_selected'>[];

/** A horizontal axis: where a step lies on it. */
export interface Scale {
  label: string;
  at: (step: number) => number;
}

/** The curve that is shown first: means of epochs once there are two, since steps alone are noise. */
export function firstCurve(series: Series): string {
  if ((series.epoch_loss?.step.length ?? 0) > 1) return 'epoch_loss';
  return 'loss' in series ? 'loss' : (Object.keys(series).sort()[0] ?? '');
}

/** Epochs by step: exactly where the curve has every epoch, else by the rounds. */
function epochsOf({ progress }: Pick<Job, 'progress'>, series: Series, rounds: Rounds) {
  const ends = series.epoch_loss?.step ?? [];
  if (ends.length && ends.length === progress.epoch) return [[0, 0] as const, ...ends.map((step, i) => [step, i + 1] as const)];
  return epochKnots({ epochs: progress.epochs, steps: progress.steps || (ends.at(-1) ?? 1) }, rounds);
}

export function scaleOf(kind: AxisKind, job: Pick<Job, 'progress'>, series: Series, rounds: Rounds): Scale {
  if (kind === 'step') return { label: 'step', at: (step) => step };
  const epochs = epochsOf(job, series, rounds);
  if (kind === 'epoch') return { label: 'epoch', at: (step) => interpolate(epochs, step) };
  const spent = timeKnots(series.epoch_seconds, epochs);
  const unit = unitOfTime(spent.at(-1)![1]);
  return { label: `training time, ${unit.name}`, at: (step) => interpolate(spent, step) / unit.seconds };
}

/** Curves whose values depend on the number of images of a batch. */
const OF_BATCHES = new Set(['loss', 'contrastive_loss']);

interface Look {
  scale: Scale;
  /** Weight of what came before, 0..1; 0 does not smooth. */
  smooth: number;
  color: string;
  /** Images of the training part, where it is known. */
  images: number | null;
  job: Pick<Job, 'progress' | 'config'>;
  rounds: Rounds;
}

export interface Shown {
  x: number[];
  lines: Line[];
  /** Whether points of short batches are among them. */
  short: boolean;
}

/** What a plot shows of a curve: the line, smoothed over the faint one, and the points of short batches in gray beside it. */
export function lineOf(name: string, curve: Curve | undefined, { scale, smooth, color, images, job, rounds }: Look): Shown | undefined {
  if (!curve?.step.length) return undefined;
  const { step, value } = curve;
  const known = OF_BATCHES.has(name) && images !== null && job.config.match_steps !== true;
  const epochs = known ? epochKnots(job.progress, rounds) : [];
  const isShort = known ? shortBatches(step, { images, batch: Number(job.config.batch_size), rounds, epochs }) : [];
  const full = value.map((one, i) => (isShort[i] ? undefined : one));
  const short = isShort.some(Boolean) && full.some((one) => one !== undefined);
  const raw: Line = { label: quantity(name), value: short ? full : value, marked: (short ? full.filter((one) => one !== undefined) : value).length === 1 };
  const lines: Line[] = [];
  if (smooth > 0) {
    const of = smoothed(full.filter((one) => one !== undefined), smooth);
    let next = 0;
    lines.push(raw, { label: `${quantity(name)}, smoothed`, color, marked: raw.marked, value: full.map((one) => (one === undefined ? undefined : of[next++])) });
  } else lines.push({ ...raw, color });
  if (short) lines.push({ label: 'short batches', loose: true, value: value.map((one, i) => (isShort[i] ? one : undefined)) });
  return { x: step.map(scale.at), lines, short };
}

/** The points as they were recorded, and as they are drawn. */
export function curveTable(name: string, { step, value }: Curve, scale: Scale, { x, lines }: Shown): Table {
  const smooth = lines.find(({ label }) => label.endsWith(', smoothed'));
  const scaled = scale.label !== 'step';
  return {
    header: ['step', ...(scaled ? [scale.label] : []), name, ...(smooth ? [`${name}_smoothed`] : [])],
    rows: step.map((at, i) => [at, ...(scaled ? [x[i]] : []), value[i], ...(smooth ? [smooth.value[i]] : [])]),
  };
}

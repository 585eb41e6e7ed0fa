import { decimal, integer, percent } from '../format';

/** The ends of an axis. */
export type Domain = readonly [low: number, high: number];

/** The range that shows all values with some room around them. A single value gets room too. */
export function domainOf(values: readonly number[], room = 0.06): Domain {
  if (values.length === 0) return [0, 1];
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)];
  const pad = (high - low) * room || Math.abs(high) * room || 1;
  return [low - pad, high + pad];
}

/** Ticks of an axis: about `wanted` of them, at multiples of 1, 2 or 5 times a power of ten. */
export function ticksWithin([low, high]: Domain, wanted = 5): number[] {
  if (!(high > low)) return [low];
  const rough = (high - low) / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough * 0.999)!;
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

/** Writes a value of an axis. `digits` after the point tell neighbouring ticks apart; a percentage needs two less. */
export type TickFormat = (value: number, digits: number) => string;

/** How many digits after the point the ticks need, so that none of them is rounded. */
export function digitsOf(ticks: readonly number[]): number {
  const step = ticks.length > 1 ? ticks[1]! - ticks[0]! : Math.abs(ticks[0] ?? 0);
  return step > 0 ? Math.max(0, Math.ceil(-Math.log10(step) - 1e-9)) : 0;
}

export const percentTicks: TickFormat = (value, digits) => percent(value, Math.max(0, digits - 2));
export const decimalTicks: TickFormat = (value, digits) => decimal(value, digits);
/** A count between two whole numbers has no label. */
export const countTicks: TickFormat = (value) => (Number.isInteger(value) ? integer(value) : '');

/** Ticks of a logarithmic axis from 1: powers of ten, with 2 and 5 between them where those would be few. */
export function powersOfTen(top: number): number[] {
  const powers = Array.from({ length: Math.max(1, Math.floor(Math.log10(Math.max(1, top)) + 1e-9) + 1) }, (_, power) => 10 ** power);
  return powers.length > 3 ? powers : powers.flatMap((power) => [1, 2, 5].map((factor) => factor * power)).filter((tick) => tick <= top);
}

/** The position of a value between `from` and `to`, in proportion. */
export function place(value: number, [low, high]: Domain, from: number, to: number): number {
  return from + ((value - low) / (high - low)) * (to - from);
}

/** The part of the line y = slope x + intercept within the axes. Null where there is none. */
export function lineWithin(slope: number, intercept: number, x: Domain, y: Domain): { from: [number, number]; to: [number, number] } | null {
  let [left, right] = [x[0], x[1]];
  if (slope === 0) {
    if (intercept < y[0] || intercept > y[1]) return null;
  } else {
    const [a, b] = [(y[0] - intercept) / slope, (y[1] - intercept) / slope];
    left = Math.max(left, Math.min(a, b));
    right = Math.min(right, Math.max(a, b));
    if (left >= right) return null;
  }
  return { from: [left, slope * left + intercept], to: [right, slope * right + intercept] };
}

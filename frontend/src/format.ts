/** The dash of a missing value. */
const NOTHING = '–';

type Maybe<T> = T | null | undefined;

export function integer(value: Maybe<number>): string {
  return value == null ? NOTHING : Math.round(value).toLocaleString('en');
}

/** The range of 16-bit values that became 0–255, as a list of facts: none if there were no such images. */
export function rangeFacts({ value_range }: { value_range: number[] | null }): [string, string, string][] {
  return value_range ? [['16-bit values', value_range.join(' to '), 'They were scaled to 0–255.']] : [];
}

/** A share in 0..1 as a percentage with one decimal. */
export function percent(value: Maybe<number>, decimals = 1): string {
  return value == null ? NOTHING : `${(value * 100).toFixed(decimals)} %`;
}

/** A difference of shares as points with its sign, such as `+0.9` or `−1.2`. */
export function points(value: Maybe<number>, decimals = 1): string {
  if (value == null) return NOTHING;
  const size = Math.abs(value * 100).toFixed(decimals);
  return Number(size) === 0 ? size : `${value < 0 ? '−' : '+'}${size}`;
}

export function decimal(value: Maybe<number>, digits = 3): string {
  return value == null ? NOTHING : value.toFixed(digits);
}

/** Seconds as `8 s`, `3 min 05 s` or `2 h 07 min`. */
export function duration(seconds: Maybe<number>): string {
  if (seconds == null || !Number.isFinite(seconds)) return NOTHING;
  const whole = Math.max(0, Math.round(seconds));
  const pad = (part: number) => String(part).padStart(2, '0');
  if (whole < 60) return seconds > 0 && seconds < 1 ? '< 1 s' : `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${pad(whole % 60)} s`;
  return `${Math.floor(whole / 3600)} h ${pad(Math.floor((whole % 3600) / 60))} min`;
}

/** As `duration`, but with decimals where seconds are few. */
export function seconds(value: Maybe<number>): string {
  return value == null || value >= 10 ? duration(value) : `${value.toFixed(2)} s`;
}

export function bytes(value: Maybe<number>): string {
  if (value == null) return NOTHING;
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let unit = 0;
  let amount = value;
  while (amount >= 1000 && unit < units.length - 1) [amount, unit] = [amount / 1000, unit + 1];
  return `${unit === 0 ? amount : amount.toFixed(1)} ${units[unit]}`;
}

/** `just now`, `5 min ago`, `3 h ago`, or the local date. */
export function ago(time: Maybe<string>, now: number = Date.now()): string {
  if (!time) return NOTHING;
  const seconds = (now - Date.parse(time)) / 1000;
  if (seconds < 60) return 'just now';
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ago`;
  return new Date(time).toLocaleDateString(undefined, { year: 'numeric', month: 'short', day: 'numeric' });
}

/** The local date and time in full, for titles. */
export function moment(time: Maybe<string>): string {
  return time ? new Date(time).toLocaleString() : NOTHING;
}

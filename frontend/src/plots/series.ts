import type { Series } from '../api/types';

type Curve = Series[string];

/** The step after which points are still to come. Points of the last step itself may be: those of its epoch. */
export function lastWholeStep(series: Series): number {
  return Object.values(series).reduce((last, { step }) => Math.max(last, step.at(-1) ?? 0), 0) - 1;
}

/** Curves with the points after a step replaced by newer ones. Curves that become too long are thinned. */
export function withNewPoints(series: Series, found: Series, after: number, most: number): Series {
  const names = new Set([...Object.keys(series), ...Object.keys(found)]);
  return Object.fromEntries(
    [...names].map((name) => {
      const { step, value } = series[name] ?? { step: [], value: [] };
      const kept = step.findLastIndex((one) => one <= after) + 1;
      const own = found[name] ?? { step: [], value: [] };
      const all = { step: [...step.slice(0, kept), ...own.step], value: [...value.slice(0, kept), ...own.value] };
      return [name, thinned(all, most)];
    }),
  );
}

/** The lowest and the highest point of each of `most / 2` stretches of equal length, and both ends. It begins at twice as many points. */
export function thinned(curve: Curve, most: number): Curve {
  const { step, value } = curve;
  if (step.length <= 2 * most) return curve;
  const [first, last] = [step[0]!, step.at(-1)!];
  const stretches = Math.floor((most - 2) / 2);
  const kept = new Set([0, step.length - 1]);
  for (let begin = 0, part = 0; part < stretches; part += 1) {
    let [low, high] = [begin, begin];
    let end = begin;
    for (; end < step.length && Math.floor(((step[end]! - first) * stretches) / (last - first + 1)) === part; end += 1) {
      if (value[end]! < value[low]!) low = end;
      if (value[end]! >= value[high]!) high = end;
    }
    if (end > begin) kept.add(low).add(high);
    begin = end;
  }
  const places = [...kept].sort((a, b) => a - b);
  return { step: places.map((place) => step[place]!), value: places.map((place) => value[place]!) };
}

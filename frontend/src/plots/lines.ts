/** One line of a plot, over the x that all its lines share. */
export interface Line {
  label: string;
  /** Null is a gap. Undefined is a place where only another line has a point; the line is drawn across it. */
  value: (number | null | undefined)[];
  /** Without one the line is faint: it is what the others are compared with. */
  color?: string;
  /** Lengths of dash and gap; solid without. */
  dash?: number[];
  /** Whether every point has a mark. */
  marked?: boolean;
  /** Points alone, without a line through them. */
  loose?: boolean;
}

/** A place on the horizontal axis where something happened. */
export interface Mark {
  at: number;
  name: string;
}

/** The place of the line's point that is nearest to `place`. The line may have no point there itself. */
export function nearestPoint(values: ArrayLike<number | null | undefined>, place: number): number {
  for (let away = 0; away < values.length; away += 1) {
    if (values[place - away] !== undefined) return place - away;
    if (values[place + away] !== undefined) return place + away;
  }
  return place;
}

/** A stretch of a line as a CSS background, for a legend. */
export function stretch({ color, dash = [] }: Pick<Line, 'color' | 'dash'>, faint: string): string {
  const ink = color ?? faint;
  let at = 0;
  const stops = dash.map((length, part) => `${part % 2 ? 'transparent' : ink} ${at}px ${(at += length)}px`);
  return stops.length ? `repeating-linear-gradient(90deg, ${stops.join(', ')})` : ink;
}

/** A curve's name for people, with its unit where it has one: `round, seconds`. */
export function quantity(name: string): string {
  return name.replace(/_seconds$/, ', seconds').replaceAll('_', ' ');
}

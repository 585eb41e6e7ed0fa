/** One line of a plot, over the x that all its lines share. */
export interface Line {
  label: string;
  /** Null where there is no value: a gap. Undefined where only another line has a point: drawn across. */
  value: (number | null | undefined)[];
  /** None: a faint line, for what the others are compared with. */
  color?: string;
  /** Lengths of dash and gap; solid without. */
  dash?: number[];
  /** Whether every point has a mark of its own. */
  marked?: boolean;
}

/** The place of the point of a line that is nearest to `place`, at which only another line may have one. */
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

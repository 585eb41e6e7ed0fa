/** A path through values, scaled to fill a box. Empty without values; a dot for one value, a level line for equal ones. */
export function sparkPath(values: readonly number[], width: number, height: number): string {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const across = (place: number) => (values.length > 1 ? 2 + ((width - 4) * place) / (values.length - 1) : width / 2);
  const up = (value: number) => (high > low ? 2 + ((height - 4) * (high - value)) / (high - low) : height / 2);
  const points = values.map((value, place) => `${across(place).toFixed(1)} ${up(value).toFixed(1)}`);
  return points.length === 1 ? `M${points[0]}h0` : points.map((point, place) => (place ? `L${point}` : `M${point}`)).join('');
}

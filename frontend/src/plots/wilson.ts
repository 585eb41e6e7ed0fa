/** 97.5 % point of the normal distribution: a two-sided 95 % interval. */
const Z = 1.959963984540054;

/**
 * Wilson's 95 % score interval of a share: what `accuracy` on `trials` test images is good for.
 *
 * It stays within 0..1 and is honest at 0 % and 100 %, unlike plus-minus one and a half standard errors.
 * (E. B. Wilson, JASA 22, 1927.) Without trials nothing is known: 0..1.
 */
export function wilson(accuracy: number, trials: number): { low: number; high: number } {
  if (trials <= 0) return { low: 0, high: 1 };
  const z2 = Z * Z;
  const centre = accuracy + z2 / (2 * trials);
  const spread = Z * Math.sqrt((accuracy * (1 - accuracy)) / trials + z2 / (4 * trials * trials));
  const scale = 1 + z2 / trials;
  return { low: Math.max(0, (centre - spread) / scale), high: Math.min(1, (centre + spread) / scale) };
}

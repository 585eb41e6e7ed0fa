/** 97.5 % point of the normal distribution: a two-sided 95 % interval. */
const Z = 1.959963984540054;

/**
 * Wilson's 95 % score interval of `accuracy`, a share measured on `trials` test images.
 *
 * It stays within 0..1 and holds at 0 % and 100 %, unlike the normal approximation.
 * (E. B. Wilson, JASA 22, 1927.) Without trials it is 0..1.
 */
export function wilson(accuracy: number, trials: number): { low: number; high: number } {
  if (trials <= 0) return { low: 0, high: 1 };
  const z2 = Z * Z;
  const centre = accuracy + z2 / (2 * trials);
  const spread = Z * Math.sqrt((accuracy * (1 - accuracy)) / trials + z2 / (4 * trials * trials));
  const scale = 1 + z2 / trials;
  return { low: Math.max(0, (centre - spread) / scale), high: Math.min(1, (centre + spread) / scale) };
}

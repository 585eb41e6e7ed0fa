/**
 * The numbers of at most `most` different images among `count`, in ascending order. They follow from `draw` (mulberry32), so that
 * an address shows the same images again.
 */
export function sampleOf(count: number, most: number, draw: number): number[] {
  if (count <= most) return Array.from({ length: count }, (_, index) => index);
  let state = draw >>> 0;
  const random = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let bits = Math.imul(state ^ (state >>> 15), 1 | state);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), 61 | bits);
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
  const chosen = new Set<number>();
  while (chosen.size < most) chosen.add(Math.floor(random() * count));
  return [...chosen].sort((a, b) => a - b);
}

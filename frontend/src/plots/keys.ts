/** A key with its place in a legend. */
export type Placed<K> = K & { at: number; row: number };

/** Keys side by side. What does not fit goes to the next row. A letter is about 6.3 px wide. */
export function placeKeys<K extends { name: string }>(keys: readonly K[], width: number): Placed<K>[] {
  return keys.reduce<Placed<K>[]>((placed, key) => {
    const last = placed.at(-1);
    const at = last ? last.at + 34 + 6.3 * last.name.length : 8;
    const fits = !last || at + 16 + 6.3 * key.name.length < width;
    return [...placed, { ...key, at: fits ? at : 8, row: (last?.row ?? 0) + (fits ? 0 : 1) }];
  }, []);
}

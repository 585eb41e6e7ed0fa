import { asProblem } from '../api/problem';

/** What the API refused, of one of several. */
export interface Refusal {
  what: string;
  why: string;
}

/** Call for each, one after another, and go on after a refusal. */
export async function each<T extends string | string[]>(all: readonly T[], call: (one: T) => Promise<unknown>): Promise<Refusal[]> {
  const refused: Refusal[] = [];
  for (const one of all) {
    try {
      await call(one);
    } catch (error) {
      const { title, detail } = asProblem(error);
      refused.push({ what: typeof one === 'string' ? one.slice(0, 8) : '', why: detail || title });
    }
  }
  return refused;
}

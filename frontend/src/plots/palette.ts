/**
 * The colours of Okabe and Ito, which colour-blind readers can tell apart. Black, yellow and orange are left out: they
 * are too near the backgrounds.
 */
const RUN_COLORS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#56b4e9'] as const;

/** The colour of a run. It follows from the id (FNV-1a), so that it is the same on every page and after a reload. */
export function runColor(id: string): (typeof RUN_COLORS)[number] {
  let hash = 0x811c9dc5;
  for (let i = 0; i < id.length; i += 1) hash = Math.imul(hash ^ id.charCodeAt(i), 0x01000193) >>> 0;
  return RUN_COLORS[hash % RUN_COLORS.length]!;
}

const DASHES = [undefined, [7, 4], [2, 3], [10, 3, 2, 3]] as const;
export const SHAPES = ['circle', 'square', 'diamond', 'triangle'] as const;

/** How a run, or an arm of an experiment, is drawn. */
export interface Look {
  color: string;
  /** Of its lines; solid without. */
  dash?: number[];
  /** Of its dots. */
  shape: (typeof SHAPES)[number];
}

/** A look by its place: dashes and shapes change when all colours are taken. */
function look(color: string, place: number): Look {
  const turn = Math.floor(place / RUN_COLORS.length) % DASHES.length;
  const dash = DASHES[turn];
  return { color, shape: SHAPES[turn]!, ...(dash && { dash: [...dash] }) };
}

/** Looks of so many things that keep their order. The first twenty are all different. */
export function looksOf(count: number): Look[] {
  return Array.from({ length: count }, (_, place) => look(RUN_COLORS[place % RUN_COLORS.length]!, place));
}

/**
 * Looks of runs side by side, all different for up to 20 runs. A run has its own colour, or the next free one. They do
 * not depend on the order of the runs.
 */
export function runLooks(ids: readonly string[]): Look[] {
  const taken = new Set<string>();
  const looks = new Map<string, Look>();
  [...new Set(ids)].sort().forEach((id, place) => {
    if (place % RUN_COLORS.length === 0) taken.clear();
    const first = RUN_COLORS.indexOf(runColor(id));
    const color = [...RUN_COLORS.slice(first), ...RUN_COLORS.slice(0, first)].find((free) => !taken.has(free))!;
    taken.add(color);
    looks.set(id, look(color, place));
  });
  return ids.map((id) => looks.get(id)!);
}

/** Colours of the groups of classes, from the same set. */
export const GROUP_COLORS = { many: '#0072b2', medium: '#009e73', few: '#d55e00' } as const;

const [LOWEST, HIGHEST] = [
  [0x56, 0xb4, 0xe9],
  [0xd5, 0x5e, 0x00],
] as const;

/** A colour between sky blue (0) and vermilion (1), visible on light and on dark backgrounds. */
export function rampColor(share: number): string {
  const at = Math.min(1, Math.max(0, share));
  return `rgb(${LOWEST.map((low, i) => Math.round(low + (HIGHEST[i]! - low) * at)).join(' ')})`;
}

/** A colour for one of `count` classes or clusters. Of more than twelve, the hue turns by the golden angle, so that it never repeats. */
export const hueColor = (at: number, count: number): string => `hsl(${count <= 12 ? Math.round((360 * at) / count) : Math.round(at * 137.508) % 360} 65% ${at % 2 ? 42 : 56}%)`;

/** The rank of each value, in 0..1. Ties share the lower rank. Null stays null. */
export function rankShares(values: readonly (number | null)[]): (number | null)[] {
  const sorted = values.filter((value) => value !== null).sort((a, b) => a - b);
  const ranks = new Map<number, number>();
  sorted.forEach((value, rank) => ranks.has(value) || ranks.set(value, rank));
  return values.map((value) => (value === null ? null : ranks.get(value)! / Math.max(1, sorted.length - 1)));
}

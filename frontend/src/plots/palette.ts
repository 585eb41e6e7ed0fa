/** Okabe and Ito's colours, told apart by colour-blind readers, less black, yellow and orange (too near the grounds and the bands). */
const RUN_COLORS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#56b4e9'] as const;

/** A run keeps its colour on every page and after a reload: it follows from the run's id (FNV-1a). */
export function runColor(id: string): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < id.length; i += 1) hash = Math.imul(hash ^ id.charCodeAt(i), 0x01000193) >>> 0;
  return RUN_COLORS[hash % RUN_COLORS.length]!;
}

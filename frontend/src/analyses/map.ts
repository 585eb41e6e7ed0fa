import { datasetImage, poolImage } from '../api/calls';
import type { AnalysisResult, Job } from '../api/types';
import { decimal, percent } from '../format';
import { GROUP_COLORS, hueColor, rampColor, rankShares } from '../plots/palette';
import type { Key, Marks } from '../plots/points';
import { groupOf, type Classes } from './classes';

type FeatureMap = Extract<AnalysisResult, { kind: 'feature_map' }>;
export const OOD_COLOR = 'var(--ink-faint)';
/** Most classes or clusters whose colours the legend names. */
const MOST_NAMED = 20;

type Label = FeatureMap['label'][number];
/** Training images without a class have the label null. */
export const isOod = (label: Label): boolean => label !== null && label < 0;

/** What can give the marks their colour. */
const COLOURS = { group: 'by group of classes', tailness: 'by tailness', class: 'by class', cluster: 'by cluster', error: 'by error of its neighbours' } as const;
export type Colour = keyof typeof COLOURS;

/** The colours that a map has the numbers for. The first is what an address without a known one means. */
export function coloursOf(map: FeatureMap, grouped: boolean): [Colour, string][] {
  const has = { group: grouped, class: grouped, cluster: map.cluster != null, tailness: map.tailness.some((score) => score !== null), error: map.error != null };
  return (Object.keys(COLOURS) as Colour[]).filter((name) => has[name]).map((name) => [name, COLOURS[name]]);
}

/** The legend: what each mark stands for. Of very many classes it says where to find the names. */
export function mapKeys(map: FeatureMap, classes: Classes, by: Colour): Key[] {
  const ood: Key[] = map.label.some(isOod) ? [{ name: 'picked OOD image', color: OOD_COLOR, shape: 'cross' }] : [];
  return [...dotKeys(map, classes, by).map(([name, color]): Key => ({ name, color, shape: 'dot' })), ...ood];
}

function dotKeys(map: FeatureMap, classes: Classes, by: Colour): [name: string, color: string][] {
  const labels = new Set(map.label.filter((label) => label !== null && label >= 0));
  if (by === 'group') return labels.size ? Object.entries(GROUP_COLORS) : [];
  if (by === 'tailness') {
    const scores = map.tailness.filter((score) => score !== null);
    const [low, high] = scores.reduce(([least, most], score) => [Math.min(least, score), Math.max(most, score)], [Infinity, -Infinity]);
    return [[`lowest tailness, ${decimal(low)}`, rampColor(0)], ['median', rampColor(0.5)], [`highest, ${decimal(high)}`, rampColor(1)]];
  }
  if (by === 'error') return [0, 0.5, 1].map((share) => [`${percent(share, 0)} of its neighbours in other classes`, rampColor(share)]);
  const count = by === 'class' ? classes.order.length : clustersOf(map);
  if (count > MOST_NAMED) return [];
  if (by === 'class') return classes.order.filter((label) => labels.has(label)).map((label) => [classes.names[label]!, hueColor(classes.order.indexOf(label), count)]);
  return Array.from({ length: count }, (_, cluster) => [`cluster ${cluster}`, hueColor(cluster, count)]);
}

const clustersOf = ({ cluster }: FeatureMap): number => (cluster ?? []).reduce((most, one) => Math.max(most, one), -1) + 1;

/** The marks of a feature map: first OOD images, then training images from head to tail. Later marks lie on top. */
export function mapMarks(map: FeatureMap, classes: Classes, by: Colour, job?: Pick<Job, 'dataset_id' | 'ood_pool_id'>): Marks {
  const ranks = by === 'tailness' ? rankShares(map.tailness) : [];
  const standing = new Map(classes.order.map((label, at) => [label, at]));
  const depth = Int32Array.from(map.label, (label) => (isOod(label) ? -1 : label === null ? 0 : standing.get(label)!));
  const places = Uint32Array.from(map.label, (_, place) => place).sort((a, b) => depth[a]! - depth[b]!);
  const groups = new Map(classes.order.map((label) => [label, groupOf(label, classes.groups)]));
  const clusters = clustersOf(map);
  const color = (place: number): string => {
    const label = map.label[place]!;
    if (by === 'cluster') return hueColor(map.cluster![place]!, clusters);
    if (isOod(label)) return OOD_COLOR;
    if (by === 'tailness') return rampColor(ranks[place] ?? 0);
    if (by === 'error') return rampColor(map.error![place] ?? 0);
    if (label === null) return OOD_COLOR;
    if (by === 'class') return hueColor(standing.get(label)!, classes.order.length);
    const group = groups.get(label);
    return group ? GROUP_COLORS[group] : OOD_COLOR;
  };
  return {
    x: Float64Array.from(places, (place) => map.x[place]!),
    y: Float64Array.from(places, (place) => map.y[place]!),
    color: Array.from(places, color),
    cross: Uint8Array.from(places, (place) => Number(isOod(map.label[place]!))),
    story: (at) => storyOf(map, classes, places[at]!, groups),
    image: (at) => (job ? imageOf(map, places[at]!, job) : undefined),
  };
}

function storyOf(map: FeatureMap, classes: Classes, place: number, groups: ReadonlyMap<number, string | null>): string {
  const [label, index] = [map.label[place] ?? null, map.index[place]!];
  const cluster = map.cluster ? `, cluster ${map.cluster[place]}` : '';
  if (isOod(label)) return `OOD image ${index}, picked${cluster}`;
  const group = label === null ? null : groups.get(label);
  const name = label === null ? '' : `, ${classes.names[label] ?? label}`;
  const error = map.error?.[place] == null ? '' : `, ${percent(map.error[place], 0)} of its neighbours in other classes`;
  return `Training image ${index}${name}${group ? ` (${group})` : ''}, tailness ${decimal(map.tailness[place])}${cluster}${error}`;
}

function imageOf(map: FeatureMap, place: number, job: Pick<Job, 'dataset_id' | 'ood_pool_id'>): string | undefined {
  const index = map.index[place]!;
  if (!isOod(map.label[place]!)) return datasetImage(job.dataset_id, index);
  return job.ood_pool_id ? poolImage(job.ood_pool_id, index) : undefined;
}

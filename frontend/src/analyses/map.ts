import { datasetImage, poolImage } from '../api/calls';
import type { AnalysisResult, Job } from '../api/types';
import { decimal } from '../format';
import { GROUP_COLORS, rampColor, rankShares } from '../plots/palette';
import type { Key, Point } from '../plots/points';
import { groupOf, type Classes } from './classes';

type FeatureMap = Extract<AnalysisResult, { kind: 'feature_map' }>;
export const OOD_COLOR = 'var(--ink-faint)';

type Label = FeatureMap['label'][number];
/** Training images without a class have the label null. */
export const isOod = (label: Label): boolean => label !== null && label < 0;

/** The legend: what each mark stands for. */
export function mapKeys(map: FeatureMap, by: 'group' | 'tailness'): Key[] {
  const scores = map.tailness.filter((score) => score !== null);
  const dots: [name: string, color: string][] =
    by === 'group'
      ? Object.entries(GROUP_COLORS).filter(() => map.label.some((label) => label !== null && label >= 0))
      : [
          [`lowest tailness, ${decimal(Math.min(...scores))}`, rampColor(0)],
          ['median', rampColor(0.5)],
          [`highest, ${decimal(Math.max(...scores))}`, rampColor(1)],
        ];
  const ood: Key[] = map.label.some(isOod) ? [{ name: 'picked OOD image', color: OOD_COLOR, shape: 'cross' }] : [];
  return [...dots.map(([name, color]): Key => ({ name, color, shape: 'dot' })), ...ood];
}

/** The marks of a feature map: first OOD images, then training images from head to tail. Later marks lie on top. */
export function mapPoints(map: FeatureMap, classes: Classes, by: 'group' | 'tailness', job?: Pick<Job, 'dataset_id' | 'ood_pool_id'>): Point[] {
  const ranks = rankShares(map.tailness);
  const depth = (label: Label) => (isOod(label) ? -1 : label === null ? 0 : classes.order.indexOf(label));
  const places = map.label.map((_, place) => place).sort((a, b) => depth(map.label[a]!) - depth(map.label[b]!));
  return places.map((place): Point => {
    const [x, y, label, index] = [map.x[place]!, map.y[place]!, map.label[place] ?? null, map.index[place]!];
    if (isOod(label)) return { x, y, color: OOD_COLOR, radius: 3, shape: 'cross', story: `OOD image ${index}, picked`, ...(job?.ood_pool_id && { image: poolImage(job.ood_pool_id, index) }) };
    const group = label === null ? null : groupOf(label, classes.groups);
    const color = by === 'group' ? (group ? GROUP_COLORS[group] : OOD_COLOR) : rampColor(ranks[place] ?? 0);
    const name = label === null ? '' : `, ${classes.names[label] ?? label}`;
    const story = `Training image ${index}${name}${group ? ` (${group})` : ''}, tailness ${decimal(map.tailness[place])}`;
    return { x, y, color, radius: 3.2, shape: 'dot', story, ...(job && { image: datasetImage(job.dataset_id, index) }) };
  });
}

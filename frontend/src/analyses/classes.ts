import type { Dataset, Job } from '../api/types';
import { groupsByCount, headToTail, type GroupName, type Groups } from '../plots/ordering';

/** The classes of a data set as an analysis of a job sees them. */
export interface Classes {
  names: string[];
  /** Training images. */
  counts: number[];
  /** Class indices from head to tail. */
  order: number[];
  groups: Groups;
}

type Described = Pick<Dataset, 'class_names' | 'class_counts' | 'groups'>;

export function classesOf(dataset: Described, config: Job['config']): Classes {
  const counts = dataset.class_counts ?? [];
  const thresholds = config.group_thresholds;
  return {
    names: counts.map((_, index) => dataset.class_names?.[index] ?? String(index)),
    counts,
    order: headToTail(counts),
    groups: thresholds ? groupsByCount(counts, thresholds) : (dataset.groups ?? { many: [], medium: [], few: [] }),
  };
}

export function groupOf(index: number, groups: Groups): GroupName | null {
  return (['many', 'medium', 'few'] as const).find((name) => groups[name].includes(index)) ?? null;
}

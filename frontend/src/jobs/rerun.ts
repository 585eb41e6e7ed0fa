import { estimateJob } from '../api/calls';
import type { Job, NewJob } from '../api/types';
import { root } from '../root';

/** The address of the form for a new job, filled from one that has run. */
export const rerunHref = (id: string): string => `${root}/jobs/new?${new URLSearchParams({ job: id })}`;

const LONGEST_NAME = 100;

/** The name of a further run: `name (2)` after `name`, then `name (3)`. */
export function nameAgain(name: string): string {
  const [, base = name, number = '1'] = /^(.*) \((\d{1,6})\)$/s.exec(name) ?? [];
  const ending = ` (${Number(number) + 1})`;
  return base.slice(0, LONGEST_NAME - ending.length) + ending;
}

/** A request for the same run. Its config has every value, so that new defaults of a preset do not change it. */
export function sameAgain({ name, tags, notes, dataset_id, ood_pool_id, evaluation_dataset_id, config, evaluations, start_from }: Job): NewJob {
  return {
    name: nameAgain(name),
    tags,
    notes,
    dataset_id,
    ood_pool_id,
    evaluation_dataset_id,
    config,
    evaluations,
    start_from: begun(start_from),
    accept_cost: false,
  } as NewJob;
}

/** What a job began with, as a request names it. */
export function begun(from: Job['start_from']): NewJob['start_from'] {
  if (!from) return null;
  return 'checkpoint_id' in from ? { checkpoint_id: from.checkpoint_id } : { backbone_id: from.backbone_id };
}

/**
 * What the preset, framework, sampler and number of epochs of a job resolve to by themselves. What it has else was
 * chosen for it. Undefined where such a job would be refused.
 */
export async function usualConfig({ dataset_id, ood_pool_id, config }: Job): Promise<Record<string, unknown> | undefined> {
  const { preset, framework, sampler, epochs } = config;
  const bare = { ...(preset != null && { preset }), framework, sampler, epochs };
  try {
    return (await estimateJob({ dataset_id, ood_pool_id, config: bare, evaluations: [] } as unknown as NewJob)).config;
  } catch {
    return undefined;
  }
}

import { ApiError } from '../api/problem';
import type { Dataset, Kinds, Template } from '../api/types';
import { root } from '../root';

/** What a job gives to a form for an experiment: parts of the request of a job. */
export interface JobDraft {
  dataset_id: string;
  ood_pool_id?: string | null;
  config: Record<string, unknown>;
  evaluations: string[];
}

/** The template that sets a job beside baselines, and its seeds. */
export const BASELINES = 'did-it-help';
export const SEEDS = '0, 1, 2';

/** The address of the form, filled from a job that has run. */
export const experimentOfJob = (id: string): string => `${root}/experiments/new?${new URLSearchParams({ template: BASELINES, job: id })}`;

/** The address of the form, filled from a job that is not submitted yet. */
export const experimentOfDraft = (draft: JobDraft): string =>
  `${root}/experiments/new?${new URLSearchParams({ template: BASELINES, draft: JSON.stringify(draft) })}`;

/** A draft from an address. Anyone may have written it: what does not fit is left out. */
export function draftFrom(text: string | null): JobDraft | undefined {
  let found: unknown;
  try {
    found = JSON.parse(text ?? '');
  } catch {
    return undefined;
  }
  if (typeof found !== 'object' || found === null) return undefined;
  const { dataset_id, ood_pool_id, config, evaluations } = found as Record<string, unknown>;
  return {
    dataset_id: typeof dataset_id === 'string' ? dataset_id : '',
    ood_pool_id: typeof ood_pool_id === 'string' ? ood_pool_id : null,
    config: typeof config === 'object' && config !== null && !Array.isArray(config) ? (config as Record<string, unknown>) : {},
    evaluations: Array.isArray(evaluations) ? evaluations.filter((kind) => typeof kind === 'string') : [],
  };
}

/** The seeds in a text, which commas or blanks separate. Throws an ApiError for what is no whole number. */
export function seedsFrom(text: string): number[] {
  const parts = text.split(/[\s,]+/).filter(Boolean);
  const wrong = parts.find((part) => !/^\d+$/.test(part));
  if (wrong !== undefined) {
    throw new ApiError({ status: 0, title: 'The seeds cannot be read', detail: '', errors: [{ pointer: '/seeds', detail: `'${wrong}' is not a whole number.` }] });
  }
  return parts.map(Number);
}

type Counted = Pick<Dataset, 'id' | 'image_size' | 'class_names' | 'class_counts'>;

/** Whether two counts differ by more than a tenth, and by more than a remainder. The API refuses such a control. */
const apart = (one: number, other: number, remainder: number): boolean =>
  Math.abs(one - other) > remainder && Math.max(one, other) > 1.1 * Math.min(one, other);

/** Whether a data set is a control on balanced data for another: equal classes of the same names, and as many images. */
export function isControl(control: Counted, beside: Counted): boolean {
  const counts = control.class_counts;
  if (control.id === beside.id || control.image_size !== beside.image_size || !counts?.length || !beside.class_counts) return false;
  const total = (of: number[]) => of.reduce((sum, count) => sum + count, 0);
  return (
    JSON.stringify(control.class_names) === JSON.stringify(beside.class_names) &&
    !apart(Math.min(...counts), Math.max(...counts), 1) &&
    !apart(total(counts), total(beside.class_counts), counts.length)
  );
}

/** The seeds to offer next: as many as are wanted, from the first number above all that are there. */
export function nextSeeds(seeds: readonly number[], wanted = 2): string {
  const first = Math.max(-1, ...seeds) + 1;
  return Array.from({ length: wanted }, (_, place) => first + place).join(', ');
}

/** Whether a template needs an OOD pool: an arm of it has a sampler that uses one. */
export function usesPool({ arms }: Template, { samplers }: Kinds): boolean {
  return arms.some(({ config }) => samplers.find(({ kind }) => kind === config.sampler)?.uses_pool !== false);
}

/** Names of settings that some arm gives itself. A common value would change nothing, or another arm. */
const given = ({ arms }: Template): Set<string> => new Set(arms.flatMap(({ config }) => Object.keys(config)));

/** Whether the arms leave a setting to the experiment. */
export const isOpen = (template: Template, setting: string): boolean => !given(template).has(setting);

/**
 * The settings of a job as those of all arms. Left out are the seed, what the arms set themselves, what no arm reads,
 * and what the preset gives anyway.
 */
export function commonSettings(config: Record<string, unknown>, template: Template, kinds: Kinds): Record<string, unknown> {
  const preset = kinds.presets.find(({ name }) => name === config.preset)?.values ?? {};
  const own = given(template);
  const frameworks = kinds.frameworks.filter(({ kind }) => template.arms.some((arm) => kind === (arm.config.framework ?? config.framework)));
  const samplers = kinds.samplers.filter(({ kind }) => template.arms.some((arm) => kind === (arm.config.sampler ?? config.sampler)));
  const schemas = [kinds.settings, ...frameworks.map(({ settings }) => settings), ...samplers.map(({ settings }) => settings)];
  const defaults: Record<string, unknown> = { ...Object.fromEntries(schemas.flatMap(({ properties }) => Object.entries(properties ?? {}).map(([name, { default: value }]) => [name, value]))), ...preset };
  const read = new Set([...schemas.flatMap(({ properties }) => Object.keys(properties ?? {})), 'preset', 'framework', 'sampler']);
  // Of another number of epochs, the preset's own values are scaled ones.
  const otherLength = config.epochs !== undefined && config.epochs !== defaults.epochs;
  return Object.fromEntries(
    Object.entries(config).filter(([name, value]) => {
      if (name === 'seed' || own.has(name) || !read.has(name)) return false;
      if (name === 'preset' || name === 'framework' || name === 'sampler') return value != null;
      if (otherLength && /(epochs|_interval|_momentum)$/.test(name)) return true;
      return JSON.stringify(value) !== JSON.stringify(defaults[name] ?? null);
    }),
  );
}

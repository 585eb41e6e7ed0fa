import type { Dataset, Kinds } from '../api/types';

type Preset = Kinds['presets'][number];

/** Presets by a word in the name of the data or of their source. The first that fits counts. */
const BY_NAME: readonly (readonly [RegExp, string])[] = [
  [/cifar-?100/i, 'cifar100-lt'],
  [/cifar/i, 'cifar10-lt'],
  [/imagenet/i, 'imagenet100-lt'],
  [/places/i, 'places-lt'],
  [/digits/i, 'digits'],
];
/** For other data: the first whose batch the data fill. */
const OTHERWISE = ['cpu-small', 'digits'];

/** The preset to begin with for a data set. */
export function presetFor(dataset: Pick<Dataset, 'name' | 'spec' | 'split_sizes'> | undefined, presets: readonly Preset[]): Preset | undefined {
  if (!dataset) return undefined;
  const source = (dataset.spec.source ?? {}) as { name?: unknown };
  const words = `${typeof source.name === 'string' ? source.name : ''} ${dataset.name}`;
  const named = BY_NAME.find(([pattern]) => pattern.test(words))?.[1];
  const images = dataset.split_sizes?.train ?? 0;
  const fits = ({ values }: Preset) => !(Number(values.batch_size) > images);
  const others = OTHERWISE.map((name) => presets.find((preset) => preset.name === name)).filter((preset) => preset !== undefined);
  return presets.find(({ name }) => name === named) ?? others.find(fits) ?? others.at(-1);
}

import type { NewDataset } from '../api/types';

/** How images become squares of 8 bits, as the form holds it. Empty fields are not sent. */
export interface ImageSettings {
  fit: NewDataset['fit'];
  background: string;
  scale: boolean;
  low: number | null;
  high: number | null;
  skip: boolean;
}

export const plainImages = (): ImageSettings => ({ fit: 'crop', background: '', scale: false, low: null, high: null, skip: false });

/** The part of the request that says how images are read: only what differs from the defaults. */
export function sentImages({ fit, background, scale, low, high, skip }: ImageSettings) {
  return {
    ...(fit !== 'crop' && { fit }),
    ...(background && { background }),
    ...(scale && { bit_depth: 'scale' as const }),
    ...(scale && low !== null && high !== null && { value_range: [low, high] as [number, number] }),
    ...(skip && { on_damaged: 'skip' as const }),
  };
}

type Spec = Partial<Pick<NewDataset, 'fit' | 'background' | 'bit_depth' | 'value_range' | 'on_damaged'>>;

/** The form's settings of a registration that there was. */
export function imagesOf({ fit, background, bit_depth, value_range, on_damaged }: Spec): ImageSettings {
  return {
    fit: fit ?? 'crop',
    background: background ?? '',
    scale: bit_depth === 'scale',
    low: value_range?.[0] ?? null,
    high: value_range?.[1] ?? null,
    skip: on_damaged === 'skip',
  };
}

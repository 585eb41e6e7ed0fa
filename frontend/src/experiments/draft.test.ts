import { describe, expect, it } from 'vitest';
import { ApiError } from '../api/problem';
import type { Kinds, Template } from '../api/types';
import { commonSettings, draftFrom, experimentOfDraft, isControl, nextSeeds, seedsFrom, usesPool } from './draft';

const integer = (value: number) => ({ type: 'integer', default: value });
const kinds = {
  settings: { properties: { width: integer(64), epochs: integer(500), warmup_epochs: integer(25) } },
  frameworks: [{ kind: 'simclr', settings: {} }, { kind: 'sdclr', settings: { properties: { prune_share: { type: 'number', default: 0.9 } } } }],
  samplers: [
    { kind: 'none', uses_pool: false, settings: { properties: { match_steps: { type: 'boolean', default: false } } } },
    { kind: 'colt', uses_pool: true, settings: { properties: { num_clusters: integer(10) } } },
    { kind: 'mak', uses_pool: true, settings: { properties: { redraw: { type: 'boolean', default: false } } } },
  ],
  presets: [{ name: 'digits', values: { epochs: 40, width: 16, warmup_epochs: 2 } }],
} as unknown as Kinds;
const template = (...configs: Record<string, unknown>[]) => ({ name: 't', arms: configs.map((config) => ({ name: 'a', config })) }) as unknown as Template;
const DID_IT_HELP = template({ sampler: 'none', match_steps: true }, { sampler: 'none' }, { sampler: 'colt' });

describe('settings of all arms', () => {
  const config = { preset: 'digits', framework: 'sdclr', sampler: 'mak', seed: 7, width: 16, epochs: 40, warmup_epochs: 2, prune_share: 0.5, redraw: true, num_clusters: 4, match_steps: false };

  it('leave out the seed, what the arms set, what none reads and what the preset gives', () => {
    expect(commonSettings(config, DID_IT_HELP, kinds)).toEqual({ preset: 'digits', framework: 'sdclr', prune_share: 0.5, num_clusters: 4 });
  });

  it('keep a schedule as it was where the preset would scale it', () => {
    expect(commonSettings({ ...config, epochs: 2 }, DID_IT_HELP, kinds)).toMatchObject({ epochs: 2, warmup_epochs: 2 });
  });

  it('leave out the framework where the arms compare frameworks', () => {
    expect(commonSettings(config, template({ framework: 'simclr', sampler: 'colt' }), kinds)).toEqual({ preset: 'digits', num_clusters: 4 });
  });
});

describe('a control on balanced data', () => {
  const data = (id: string, class_counts: number[] | null, class_names = ['cat', 'dog', 'emu'], image_size = 32) => ({ id, class_counts, class_names, image_size });
  const cut = data('cut', [60, 30, 10]);

  it('has equal classes, but for a remainder or a tenth, and as many images', () => {
    for (const counts of [[34, 33, 33], [35, 34, 32], [31, 30, 30]]) expect(isControl(data('a', counts), cut)).toBe(true);
    expect(isControl(data('a', [2, 1, 1]), data('b', [2, 1, 1]))).toBe(true);
    for (const counts of [[60, 30, 10], [37, 33, 32], [30, 30, 30], [37, 37, 37], null]) expect(isControl(data('a', counts), cut)).toBe(false);
  });

  it('is another data set with the same classes and image size', () => {
    expect(isControl(data('a', [34, 33, 33], ['cat', 'dog', 'fox']), cut)).toBe(false);
    expect(isControl(data('a', [34, 33, 33], undefined, 64), cut)).toBe(false);
    expect(isControl(data('cut', [34, 33, 33]), data('cut', [34, 33, 33]))).toBe(false);
  });
});

describe('a draft', () => {
  it('comes back from an address', () => {
    const draft = { dataset_id: 'd', ood_pool_id: 'p', config: { epochs: 2 }, evaluations: ['knn'] };
    expect(draftFrom(new URL(experimentOfDraft(draft), 'http://x').searchParams.get('draft'))).toEqual(draft);
  });

  it('is taken for what it is', () => {
    for (const text of [null, '', 'no JSON', '3', 'null']) expect(draftFrom(text)).toBeUndefined();
    expect(draftFrom('{"dataset_id": 3, "config": [], "evaluations": ["knn", {}]}')).toEqual({ dataset_id: '', ood_pool_id: null, config: {}, evaluations: ['knn'] });
  });
});

describe('seeds', () => {
  it('are whole numbers', () => {
    expect(seedsFrom(' 0, 1 2,')).toEqual([0, 1, 2]);
    expect(() => seedsFrom('0, 1.5')).toThrow(ApiError);
    expect(() => seedsFrom('-1')).toThrow(ApiError);
  });

  it('go on above those that are there', () => {
    expect(nextSeeds([0, 7, 2])).toBe('8, 9');
    expect(nextSeeds([])).toBe('0, 1');
  });
});

it('asks for a pool where an arm picks from one', () => {
  expect(usesPool(DID_IT_HELP, kinds)).toBe(true);
  expect(usesPool(template({ sampler: 'none' }), kinds)).toBe(false);
});

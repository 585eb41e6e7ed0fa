import { describe, expect, it } from 'vitest';
import { asProblem } from '../api/problem';
import type { Schema } from '../api/types';
import { fieldsOf, sentSettings, shown, typedFrom } from './schema';

// As pydantic writes it.
const SCHEMA: Schema = {
  type: 'object',
  $defs: { Thresholds: { type: 'object', properties: { low: { type: 'integer', default: 20 } } } },
  properties: {
    kind: { const: 'toy', type: 'string', default: 'toy' },
    variant: { enum: ['I', 'D'], type: 'string', default: 'I', description: 'On SimCLR or on SDCLR.' },
    prune_share: { type: 'number', exclusiveMinimum: 0, exclusiveMaximum: 1, default: 0.9 },
    queue_size: { type: 'integer', minimum: 1, exclusiveMaximum: 100, default: 64 },
    redraw: { type: 'boolean', default: true },
    shots: { anyOf: [{ type: 'integer', minimum: 1 }, { type: 'null' }], default: null },
    top_k: { anyOf: [{ type: 'integer', exclusiveMinimum: 0 }, { type: 'number', exclusiveMinimum: 0, exclusiveMaximum: 1 }], default: 10 },
    gammas: { type: 'array', items: { type: 'number', exclusiveMinimum: 0 }, default: [1, 2.5] },
    thresholds: { anyOf: [{ $ref: '#/$defs/Thresholds' }, { type: 'null' }], default: null },
    note: { type: 'string' },
  },
};
const FIELDS = fieldsOf(SCHEMA);

describe('the fields of a schema', () => {
  it('have the input that fits their type, in the order of the schema', () => {
    expect(FIELDS.map(({ name, input }) => [name, input])).toEqual([
      ['variant', 'choice'],
      ['prune_share', 'number'],
      ['queue_size', 'integer'],
      ['redraw', 'choice'],
      ['shots', 'integer'],
      ['top_k', 'number'],
      ['gammas', 'list'],
      ['thresholds', 'json'],
      ['note', 'text'],
    ]);
  });

  it('carry description, choices, default and bounds', () => {
    const named = Object.fromEntries(FIELDS.map((field) => [field.name, field]));
    expect(named.variant).toEqual({ name: 'variant', description: 'On SimCLR or on SDCLR.', input: 'choice', options: ['I', 'D'], default: 'I' });
    expect(named.redraw!.options).toEqual([true, false]);
    expect(named.prune_share).toMatchObject({ minimum: 0, maximum: 1, default: 0.9 });
    expect(named.queue_size).toMatchObject({ minimum: 1, maximum: 99 });
    expect(named.top_k).toMatchObject({ minimum: 0 });
    expect(named.top_k).not.toHaveProperty('maximum');
    expect(named.note).not.toHaveProperty('default');
    expect(named.thresholds).toMatchObject({ default: null, example: '{"low":20}' });
  });

  it('leave out what the form asks for elsewhere', () => {
    expect(fieldsOf(SCHEMA, ['variant', 'note']).map(({ name }) => name)).not.toContain('variant');
    expect(fieldsOf({})).toEqual([]);
  });
});

describe('the settings that are sent', () => {
  it('are those that were typed, as values of their type', () => {
    const typed = { variant: 'D', prune_share: '0.5', queue_size: ' 8 ', redraw: 'false', shots: '', gammas: '1, 2.5', thresholds: '{"low": 3}' };
    expect(sentSettings(FIELDS, typed)).toEqual({
      variant: 'D',
      prune_share: 0.5,
      queue_size: 8,
      redraw: false,
      gammas: [1, 2.5],
      thresholds: { low: 3 },
    });
  });

  it('are not those of a kind that is no longer chosen', () => {
    const typed = { queue_size: '8', mak_passes: '50' };
    expect(sentSettings(fieldsOf({ properties: { mak_passes: { type: 'integer' } } }), typed)).toEqual({ mak_passes: 50 });
    expect(sentSettings([], typed)).toEqual({});
  });

  it.each([
    [{ thresholds: '{low: 3}' }, 'thresholds'],
    [{ queue_size: 'many' }, 'queue_size'],
  ])('are refused with the name of the setting: %o', (typed, name) => {
    let pointers: string[] = [];
    try {
      sentSettings(FIELDS, typed, '/config');
    } catch (error) {
      pointers = asProblem(error).errors.map(({ pointer }) => pointer);
    }
    expect(pointers).toEqual([`/config/${name}`]);
  });
});

it.each([
  [null, ''],
  [true, 'yes'],
  [[1, 2.5], '1, 2.5'],
  [{ low: 3 }, '{"low":3}'],
  [0, '0'],
])('a default of %o reads %s', (value, text) => expect(shown(value)).toBe(text));

describe('typedFrom', () => {
  it('asks for the settings of a run, without those that it would have anyway', () => {
    const schedule = { warmup_epochs: { type: 'integer', default: 1 } };
    const fields = fieldsOf({ ...SCHEMA, properties: { ...SCHEMA.properties, ...schedule } });
    const config = { variant: 'D', prune_share: 0.9, queue_size: 32, redraw: false, shots: null, gammas: [1, 5], thresholds: { low: 9 }, warmup_epochs: 7 };
    const typed = typedFrom(fields, config, { queue_size: 64, warmup_epochs: 7 });
    expect(typed).toEqual({ variant: 'D', queue_size: '32', redraw: 'false', gammas: '1, 5', thresholds: '{"low":9}' });
    expect(sentSettings(fields, typed)).toEqual({ variant: 'D', queue_size: 32, redraw: false, gammas: [1, 5], thresholds: { low: 9 } });
    expect(typedFrom(fields, config, { queue_size: 32 })).toMatchObject({ warmup_epochs: '7' });
    expect(typedFrom(fields, config, { queue_size: 32 })).not.toHaveProperty('queue_size');
  });
});

import { ApiError } from '../api/problem';
import type { Schema } from '../api/types';

/** One setting as a form asks for it. */
export interface SettingField {
  name: string;
  description: string;
  /** `list` holds numbers or texts, separated by commas. `json` is for everything else. */
  input: 'integer' | 'number' | 'text' | 'choice' | 'list' | 'json';
  /** Of a `choice`, as they are sent. */
  options: (string | number | boolean)[];
  minimum?: number;
  maximum?: number;
  /** Undefined where the schema has none. */
  default?: unknown;
  /** Of an object: its own settings with their defaults, as JSON. */
  example?: string;
}

/** What a reader has typed, by the name of the setting. An empty text leaves the default. */
export type Typed = Record<string, string>;

/** The settings of an object's schema, in its order. `leaveOut` names those that the form asks for elsewhere. */
export function fieldsOf(schema: Schema, leaveOut: readonly string[] = []): SettingField[] {
  return Object.entries(schema.properties ?? {})
    .filter(([name]) => name !== 'kind' && !leaveOut.includes(name))
    .map(([name, property]) => fieldOf(name, property, schema.$defs ?? {}));
}

function fieldOf(name: string, property: Schema, definitions: Record<string, Schema>): SettingField {
  const shapes = shapesOf(property, definitions);
  const one = shapes.length === 1 ? shapes[0]! : undefined;
  const field: SettingField = { name, description: property.description ?? one?.description ?? '', input: 'json', options: [] };
  if (property.default !== undefined) field.default = property.default;

  if (shapes.length && shapes.every((shape) => choicesOf(shape).length)) {
    return { ...field, input: 'choice', options: shapes.flatMap(choicesOf) };
  }
  if (shapes.length && shapes.every(({ type }) => type === 'integer' || type === 'number')) {
    const input = shapes.every(({ type }) => type === 'integer') ? 'integer' : 'number';
    return { ...field, input, ...boundsOf(shapes) };
  }
  if (one?.type === 'string') return { ...field, input: 'text' };
  if (one?.type === 'array' && isPlain(one.items, definitions)) return { ...field, input: 'list' };
  const inner = Object.entries(one?.properties ?? {}).flatMap(([key, value]) => (value.default === undefined ? [] : [[key, value.default]]));
  return inner.length ? { ...field, example: JSON.stringify(Object.fromEntries(inner)) } : field;
}

/** The alternatives of a property, without null: a setting that may be null is left empty instead. */
function shapesOf(property: Schema, definitions: Record<string, Schema>): Schema[] {
  const found = property.$ref === undefined ? property : definitions[property.$ref.split('/').at(-1)!];
  if (!found) return [];
  return (found.anyOf?.flatMap((shape) => shapesOf(shape, definitions)) ?? [found]).filter(({ type }) => type !== 'null');
}

function choicesOf({ type, enum: members, const: only }: Schema): SettingField['options'] {
  if (type === 'boolean') return [true, false];
  const all = members ?? (only === undefined ? [] : [only]);
  return all.filter((member) => typeof member === 'string' || typeof member === 'number' || typeof member === 'boolean');
}

/** The widest bounds of the alternatives. The server checks an excluded end, which a number input cannot. */
function boundsOf(shapes: Schema[]): Pick<SettingField, 'minimum' | 'maximum'> {
  const next = ({ type }: Schema, bound: number | undefined, step: 1 | -1) =>
    bound === undefined || type !== 'integer' ? bound : bound + step;
  const lows = shapes.map((shape) => shape.minimum ?? next(shape, shape.exclusiveMinimum, 1));
  const highs = shapes.map((shape) => shape.maximum ?? next(shape, shape.exclusiveMaximum, -1));
  return {
    ...(lows.every((low) => low !== undefined) && { minimum: Math.min(...lows) }),
    ...(highs.every((high) => high !== undefined) && { maximum: Math.max(...highs) }),
  };
}

function isPlain(items: Schema | undefined, definitions: Record<string, Schema>): boolean {
  const shapes = items ? shapesOf(items, definitions) : [];
  return shapes.length === 1 && ['integer', 'number', 'string'].includes(shapes[0]!.type ?? '');
}

/** A value as a form shows it, or nothing for null. */
export function shown(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (Array.isArray(value) && value.every((member) => typeof member !== 'object')) return value.join(', ');
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/** What to type so that a form asks for the settings of an earlier run. Those that `defaults` give anyway stay empty. */
export function typedFrom(fields: readonly SettingField[], config: Record<string, unknown>, defaults: Record<string, unknown> = {}): Typed {
  const differs = ({ name, default: own }: SettingField) => shown(config[name]) !== shown(name in defaults ? defaults[name] : own);
  const kept = fields.filter((field) => config[field.name] != null && differs(field));
  return Object.fromEntries(kept.map(({ name, input }) => [name, input === 'json' ? JSON.stringify(config[name]) : input === 'list' ? shown(config[name]) : String(config[name])]));
}

/**
 * The settings to send: those of these fields that a reader has typed. What was typed for another kind stays behind.
 *
 * A text that is no value of its field throws an ApiError, as the server's refusal does. `pointer` is the JSON pointer
 * of the object that will hold the settings.
 */
export function sentSettings(fields: readonly SettingField[], typed: Typed, pointer = ''): Record<string, unknown> {
  return Object.fromEntries(
    fields.flatMap((field): [string, unknown][] => {
      const text = typed[field.name]?.trim() ?? '';
      return text === '' ? [] : [[field.name, read(field, text, pointer)]];
    }),
  );
}

function read({ name, input, options }: SettingField, text: string, pointer: string): unknown {
  switch (input) {
    case 'integer':
    case 'number':
      return number(text, `${pointer}/${name}`);
    case 'choice':
      return options.find((option) => String(option) === text) ?? text;
    case 'text':
      return text;
    case 'list':
      return text.split(',').map((part) => (Number.isNaN(Number(part)) || part.trim() === '' ? part.trim() : Number(part)));
    case 'json':
      return json(text, `${pointer}/${name}`);
  }
}

function number(text: string, pointer: string): number {
  const value = Number(text);
  if (!Number.isFinite(value)) throw unreadable(pointer, `'${text}' is not a number.`);
  return value;
}

function json(text: string, pointer: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw unreadable(pointer, `This is not JSON: ${(error as Error).message}`);
  }
}

function unreadable(pointer: string, detail: string): ApiError {
  return new ApiError({ status: 0, title: 'A setting cannot be read', detail: '', errors: [{ pointer, detail }] });
}

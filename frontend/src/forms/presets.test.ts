import { expect, it } from 'vitest';
import type { Dataset, Kinds } from '../api/types';
import { presetFor } from './presets';

const presets = [['cifar10-lt', 512], ['cifar100-lt', 512], ['cpu-small', 512], ['digits', 128]].map(([name, batch_size]) => ({ name, title: '', values: { batch_size } })) as Kinds['presets'];
const dataset = (name: string, train: number, source: object = { kind: 'upload' }) => ({ name, spec: { source }, split_sizes: { train } }) as unknown as Dataset;

it.each([
  ['mine', 9000, { kind: 'torchvision', name: 'CIFAR100' }, 'cifar100-lt'],
  ['mine', 9000, { kind: 'torchvision', name: 'CIFAR10' }, 'cifar10-lt'],
  ['cifar-10-lt', 9000, { kind: 'path' }, 'cifar10-lt'],
  ['mine', 900, { kind: 'sample', name: 'digits' }, 'digits'],
  ['x-rays', 9000, undefined, 'cpu-small'],
  ['x-rays', 300, undefined, 'digits'],
  ['x-rays', 30, undefined, 'digits'],
])('begins with the preset of %s with %i images, %o: %s', (name, train, source, wanted) => {
  expect(presetFor(dataset(name, train, source), presets)?.name).toBe(wanted);
  expect(presetFor(undefined, presets)).toBeUndefined();
});

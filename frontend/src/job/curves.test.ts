import { expect, test } from 'vitest';
import { curveTable, firstCurve, lineOf, scaleOf } from './curves';

const STEP = { label: 'step', at: (step: number) => step };
const job = (epoch: number, epochs: number, steps: number, config: object = {}) =>
  ({ progress: { epoch, epochs, step: steps, steps, images_per_second: null, eta_seconds: null }, config: { batch_size: 4, ...config } }) as never;
const round = (number: number, epoch: number, step: number, num_selected: number) => ({ round: number, epoch, step, num_selected });

test('means of epochs come first, once there are two', () => {
  expect(firstCurve({ loss: { step: [1], value: [1] }, epoch_loss: { step: [1, 2], value: [1, 2] } })).toBe('epoch_loss');
  expect(firstCurve({ loss: { step: [1], value: [1] }, epoch_loss: { step: [1], value: [1] } })).toBe('loss');
  expect(firstCurve({})).toBe('');
});

test('the axis counts epochs, also where a round made them longer', () => {
  // Two epochs of 3 steps, then two of 5. The curve has every second epoch alone.
  const thin = { epoch_loss: { step: [6, 16], value: [1, 2] } };
  const { label, at } = scaleOf('epoch', job(4, 4, 16), thin, [round(1, 3, 6, 9)]);
  expect([label, at(0), at(3), at(6), at(11), at(16)]).toEqual(['epoch', 0, 1, 2, 3, 4]);
  const whole = { epoch_loss: { step: [3, 6, 11, 16], value: [1, 1, 1, 1] } };
  expect(scaleOf('epoch', job(4, 4, 16), whole, []).at(11)).toBe(3);
});

test('the axis counts training time in a unit that suits it', () => {
  const ends = [10, 20, 30];
  const series = (seconds: number[]) => ({ epoch_loss: { step: ends, value: [1, 1, 1] }, epoch_seconds: { step: ends, value: seconds } });
  const short = scaleOf('time', job(3, 3, 30), series([10, 20, 30]), []);
  expect([short.label, short.at(10), short.at(15), short.at(30)]).toEqual(['training time, s', 10, 20, 60]);
  const long = scaleOf('time', job(3, 3, 30), series([600, 600, 600]), []);
  expect([long.label, long.at(30)]).toEqual(['training time, min', 30]);
});

test('short batches are points beside the line', () => {
  const curve = { step: [1, 2, 3, 4, 5, 6], value: [5, 5, 1, 5, 5, 1] };
  // 10 images in batches of 4: every third batch has 2.
  const shown = lineOf('loss', curve, { scale: STEP, smooth: 0, color: 'red', images: 10, job: job(2, 2, 6), rounds: [] })!;
  expect(shown.lines.map(({ value }) => value)).toEqual([
    [5, 5, undefined, 5, 5, undefined],
    [undefined, undefined, 1, undefined, undefined, 1],
  ]);
  expect(shown.short).toBe(true);
  const full = lineOf('loss', curve, { scale: STEP, smooth: 0, color: 'red', images: 12, job: job(2, 2, 6), rounds: [] })!;
  expect(full.short).toBe(false);
  expect(lineOf('learning_rate', curve, { scale: STEP, smooth: 0, color: 'red', images: 10, job: job(2, 2, 6), rounds: [] })!.short).toBe(false);
});

test('a line of a single full batch is a dot', () => {
  const look = { scale: STEP, color: 'red', images: 6, job: job(1, 1, 2), rounds: [] };
  const marked = (smooth: number, values: number[]) =>
    lineOf('loss', { step: values.map((_, i) => i + 1), value: values }, { ...look, smooth })!.lines.map((line) => line.marked ?? line.loose ?? false);
  expect(marked(0, [5, 1])).toEqual([true, true]);
  expect(marked(0.5, [5, 1])).toEqual([true, true, true]);
  expect(marked(0, [5])).toEqual([true]);
  expect(marked(0, [5, 1, 5])).toEqual([false, true]);
});

test('a round changes which batches are short', () => {
  const steps = [1, 2, 3, 4, 5, 6, 7, 8, 9];
  const curve = { step: steps, value: steps };
  // One epoch of 10 images (3 steps), then two of 11 + 1 images (3 full steps).
  const shown = lineOf('loss', curve, { scale: STEP, smooth: 0, color: 'red', images: 10, job: job(3, 3, 9), rounds: [round(1, 2, 3, 2)] })!;
  expect(shown.lines[1]!.value.flatMap((value, i) => (value === undefined ? [] : [steps[i]]))).toEqual([3]);
});

test('a smoothed line lies over the faint one, and the table has both', () => {
  const curve = { step: [1, 2, 3], value: [0, 4, 4] };
  const shown = lineOf('learning_rate', curve, { scale: { label: 'epoch', at: (step) => step / 2 }, smooth: 0.5, color: 'red', images: null, job: job(2, 2, 3), rounds: [] })!;
  expect(shown.lines.map(({ color }) => color)).toEqual([undefined, 'red']);
  expect(shown.lines[1]!.value[0]).toBe(0);
  expect(shown.lines[1]!.value[1]).toBeCloseTo(8 / 3);
  const table = curveTable('learning_rate', curve, { label: 'epoch', at: (step) => step / 2 }, shown);
  expect(table.header).toEqual(['step', 'epoch', 'learning_rate', 'learning_rate_smoothed']);
  expect(table.rows[0]).toEqual([1, 0.5, 0, 0]);
});

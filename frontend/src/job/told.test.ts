import { expect, test } from 'vitest';
import { told } from './told';

test('events say how far the job is and what the last epoch lost', () => {
  const data = JSON.stringify({ epoch: 3, step: 40, steps: 90, images_per_second: null, eta_seconds: 5, more: 1 });
  expect(told({ event: 'progress', data })).toEqual({ progress: { epoch: 3, step: 40, steps: 90, eta_seconds: 5 }, epoch: false });
  expect(told({ event: 'metric', data: '{"step": 40, "values": {"loss": 2}}' })).toEqual({ progress: {}, epoch: false });
  expect(told({ event: 'metric', data: '{"step": 40, "values": {"epoch_loss": 1.5}}' })).toEqual({ progress: {}, loss: 1.5, epoch: true });
});

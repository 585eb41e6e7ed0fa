import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { throttle } from './throttle';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('the first call acts at once, a burst is made up for by one at the end', () => {
  const action = vi.fn();
  const { call } = throttle(action, 100);
  for (let i = 0; i < 5; i += 1) call();
  expect(action).toHaveBeenCalledTimes(1);
  vi.advanceTimersByTime(100);
  expect(action).toHaveBeenCalledTimes(2);
  vi.advanceTimersByTime(1000);
  expect(action).toHaveBeenCalledTimes(2);
});

test('what was cancelled does not come', () => {
  const action = vi.fn();
  const { call, cancel } = throttle(action, 100);
  call();
  call();
  cancel();
  vi.advanceTimersByTime(1000);
  expect(action).toHaveBeenCalledTimes(1);
  call();
  expect(action, 'it can be called again').toHaveBeenCalledTimes(2);
});

import { expect, test, vi } from 'vitest';
import { Gatherer } from '../../src/queue/gatherer.ts';

test('messages go on together: when they are enough, when the first has waited for long, when it is said', async () => {
  vi.useFakeTimers();
  const gatherer = new Gatherer(3, 200);
  const gone: number[] = [];
  const join = (...numbers: number[]) => numbers.forEach((n) => void gatherer.join().then(() => gone.push(n)));

  join(1, 2);
  await vi.advanceTimersByTimeAsync(199);
  expect(gone).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  expect(gone).toEqual([1, 2]);

  join(3, 4, 5, 6);
  await vi.advanceTimersByTimeAsync(0);
  expect(gone).toEqual([1, 2, 3, 4, 5]);

  gatherer.release();
  await vi.advanceTimersByTimeAsync(0);
  expect(gone).toEqual([1, 2, 3, 4, 5, 6]);
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

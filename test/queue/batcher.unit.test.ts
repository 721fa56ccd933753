import { describe, expect, it } from 'vitest';
import { Batcher, type Refused } from '../../src/queue/batcher.ts';

/** A batcher whose calls are answered in turn by `answers`, the last one for all further calls. */
function batcher(...answers: (readonly Refused[] | Error)[]) {
  const calls: (readonly number[])[] = [];
  const batches = new Batcher<number>(async (items) => {
    const answer = answers[Math.min(calls.length, answers.length - 1)];
    calls.push(items);
    if (answer instanceof Error) throw answer;
    return answer ?? [];
  });
  return { batches, calls };
}

describe('the batcher', () => {
  it('sends ten to a call', async () => {
    const { batches, calls } = batcher([]);
    const done = await Promise.all(Array.from({ length: 23 }, (_, n) => batches.add(n)));
    expect(done).toEqual(Array(23).fill(true));
    expect(calls.map((items) => items.length)).toEqual([10, 10, 3]);
  });

  it('sends refused items again, and only those', async () => {
    const { batches, calls } = batcher([{ index: 1, final: false }], []);
    expect(await Promise.all([batches.add(7), batches.add(8), batches.add(9)])).toEqual([true, true, true]);
    expect(calls).toEqual([[7, 8, 9], [8]]);
  });

  it('does not send again what was refused for good', async () => {
    const { batches, calls } = batcher([{ index: 0, final: true }]);
    expect(await Promise.all([batches.add(7), batches.add(8)])).toEqual([false, true]);
    expect(calls).toHaveLength(1);
  });

  it('gives up after four calls that failed', async () => {
    const { batches, calls } = batcher(new Error('connection reset'));
    expect(await batches.add(7)).toBe(false);
    expect(calls).toHaveLength(4);
  });
});

import { describe, expect, it } from 'vitest';
import { Receivers } from '../../src/queue/receivers.ts';

/** Receives that are answered by hand. */
function underTest({ receiversMax = 4, mayBegin = (_underWay: number): boolean => true } = {}) {
  const open: ((count: number | null) => void)[] = [];
  let calls = 0;
  const receive = () => {
    calls++;
    return new Promise<number | null>((resolve) => open.push(resolve));
  };
  const receivers = new Receivers({ receive, mayBegin, receiversMax, batchMax: 10 });
  receivers.pump();
  const answer = async (count: number | null) => {
    open.shift()!(count);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { receivers, answer, calls: () => calls };
}

describe('receivers', () => {
  it('are one at first, one more for each receive that comes back full, and no more than allowed', async () => {
    const { receivers, answer } = underTest();
    const counts = [receivers.underWay];
    for (let n = 0; n < 6; n++) {
      await answer(10);
      counts.push(receivers.underWay);
    }
    expect(counts).toEqual([1, 2, 3, 4, 4, 4, 4]);
  });

  it('are one fewer for each receive that comes back empty, down to one; one that brings some changes nothing', async () => {
    const { receivers, answer } = underTest();
    for (let n = 0; n < 6; n++) await answer(10);
    const counts = [];
    for (const count of [3, 0, 0, 9, 0, 0, 0]) {
      await answer(count);
      counts.push(receivers.underWay);
    }
    expect(counts).toEqual([4, 3, 2, 2, 1, 1, 1]);
  });

  it('are a single one, after a pause, once the queue cannot be reached', async () => {
    const { receivers, answer, calls } = underTest();
    for (let n = 0; n < 6; n++) await answer(10);
    const asked = calls();
    for (let n = 0; n < 4; n++) await answer(null);
    expect([receivers.underWay, calls()]).toEqual([1, asked]);
    await expect.poll(calls).toBe(asked + 1);
    await answer(10);
    expect(receivers.underWay).toBe(2);
  });

  it('begin when there is room again', async () => {
    let room = 1;
    const { receivers, answer } = underTest({ mayBegin: (underWay) => underWay < room });
    await answer(10);
    expect(receivers.underWay).toBe(1);
    room = 2;
    receivers.pump();
    expect(receivers.underWay).toBe(2);
  });

  it('that are stopped end what is under way, and begin no more', async () => {
    const { receivers, answer } = underTest();
    await answer(10);
    let isOver = false;
    const stopped = receivers.stop().then(() => {
      isOver = true;
    });
    await answer(10);
    expect([receivers.underWay, isOver]).toEqual([1, false]);
    await answer(10);
    await stopped;
    expect(receivers.underWay).toBe(0);
  });
});

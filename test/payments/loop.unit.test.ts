import { expect, it } from 'vitest';
import { Loop } from '../../src/payments/loop.ts';

const HOUR_MS = 3_600_000;

it('takes turns with a rest between, goes on after what fails, and takes none once it is stopped', async () => {
  let turns = 0;
  const failed: unknown[] = [];
  const planted = new Error('planted');
  const loop = new Loop(
    async () => {
      if (++turns === 2) throw planted;
      return 5;
    },
    (error) => failed.push(error),
  );
  loop.start();
  loop.start();
  await expect.poll(() => turns).toBeGreaterThan(4);
  expect(failed).toEqual([planted]);
  await loop.stop();
  const before = turns;
  loop.start();
  await new Promise((resolve) => setTimeout(resolve, 30));
  expect(turns).toBe(before);
});

it('stops in the middle of a rest, and after a turn that has begun', async () => {
  let turns = 0;
  const resting = new Loop(
    async () => {
      turns++;
      return HOUR_MS;
    },
    () => undefined,
  );
  resting.start();
  await resting.stop();
  expect(turns).toBe(1);

  let end: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const working = new Loop(
    () => ended.then(() => HOUR_MS),
    () => undefined,
  );
  working.start();
  let isStopped = false;
  const stopped = working.stop().then(() => {
    isStopped = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  expect(isStopped).toBe(false);
  end();
  await stopped;
});

it('that never began is stopped at once', async () => {
  await new Loop(
    async () => 0,
    () => undefined,
  ).stop();
});

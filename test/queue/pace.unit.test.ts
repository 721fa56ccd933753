import { expect, it } from 'vitest';
import { Pace } from '../../src/queue/pace.ts';

function paced(perSecond: number) {
  let now = 5_000;
  const pauses: number[] = [];
  const pause = async (ms: number) => {
    pauses.push(ms);
    now += ms;
  };
  const pace = new Pace(perSecond, () => now, pause);
  const pass = (ms: number) => {
    now += ms;
  };
  return { pace, pauses, pass, since: () => now - 5_000 };
}

it('lets the first go at once, and the others as fast as it may', async () => {
  const { pace, since } = paced(4);
  for (let i = 0; i < 20; i++) await pace.take(1);
  expect(since()).toBe(19 * 250);
});

it('counts those that go together', async () => {
  const { pace, pauses } = paced(20);
  for (const count of [10, 5, 10]) await pace.take(count);
  expect(pauses).toEqual([500, 250]);
});

it('does not make up for time that has passed', async () => {
  const { pace, pauses, pass } = paced(10);
  await pace.take(1);
  pass(60_000);
  await pace.take(10);
  await pace.take(1);
  expect(pauses).toEqual([1_000]);
});

import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { Follower } from '../../src/payments/follower.ts';
import { quietLog } from '../support/log.ts';

const TURN_MS = 10;
const REST = 5;
const TURNS = 4;

/**
 * How long a follower rests after each time that it took in blocks, which takes {@link TURN_MS} or as long as the
 * machine makes it take, while it is so far behind: in times as long.
 */
async function rests(behindMs: number): Promise<number[]> {
  const turns: { began: number; ended: number }[] = [];
  const projection = {
    advance: async () => {
      const began = performance.now();
      await sleep(TURN_MS);
      turns.push({ began, ended: performance.now() });
      return { taken: 1, isAtTip: false, asOf: Date.now() - behindMs };
    },
  };
  const options = { name: 'it', projection, books: [0], log: quietLog, pollMs: 60_000, isOurs: () => true, rest: REST };
  const follower = new Follower(options);
  follower.start();
  await expect.poll(() => turns.length, { interval: 5 }).toBeGreaterThan(TURNS);
  await follower.stop();
  return turns.slice(1).map(({ began }, n) => (began - turns[n]!.ended) / (turns[n]!.ended - turns[n]!.began));
}

it('what follows the journal gives way to payments, by resting, until it is ten seconds behind', async () => {
  const [resting, hurrying] = await Promise.all([rests(5_000), rests(11_000)]);
  // A timer may be a little early. A machine that is busy makes any rest longer, and hardly all of them.
  expect(Math.min(...resting)).toBeGreaterThan(0.8 * REST);
  expect(Math.min(...hurrying)).toBeLessThan(0.5 * REST);
});

it('leaves a book of another process after each look at it, and keeps its own', async () => {
  const left: number[] = [];
  const projection = {
    advance: async () => ({ taken: 0, isAtTip: true, asOf: Date.now() }),
    leave: async (book: number) => void left.push(book),
  };
  const options = {
    name: 'it',
    projection,
    books: [0, 1],
    log: quietLog,
    pollMs: 5,
    isOurs: (book: number) => book === 0,
  };
  const follower = new Follower(options);
  follower.start();
  await expect.poll(() => left).toEqual([1]);
  await follower.stop();
  expect(left).toEqual([1]);
});

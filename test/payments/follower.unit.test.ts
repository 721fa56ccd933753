import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, vi } from 'vitest';
import { Follower } from '../../src/payments/follower.ts';
import { quietLog } from '../support/log.ts';

const TURN_MS = 10;
const REST = 5;
const WATCHED_MS = 600;

/** How often a follower takes in blocks, which takes {@link TURN_MS}, while it is so far behind. */
async function turns(behindMs: number): Promise<number> {
  let count = 0;
  const projection = {
    advance: async () => {
      count++;
      await sleep(TURN_MS);
      return { taken: 1, isAtTip: false, asOf: Date.now() - behindMs };
    },
  };
  const options = { name: 'it', projection, books: [0], log: quietLog, pollMs: 60_000, isOurs: () => true, rest: REST };
  const follower = new Follower(options);
  follower.start();
  await sleep(WATCHED_MS);
  await follower.stop();
  return count;
}

it('what follows the journal gives way to payments, by resting, until it is ten seconds behind', async () => {
  const [resting, hurrying] = await Promise.all([turns(9_000), turns(11_000)]);
  // Six times as often, but for what the machine does beside it.
  expect(hurrying).toBeGreaterThan(2 * resting);
  expect(resting).toBeGreaterThan(1);
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
  await vi.waitFor(() => expect(left).toEqual([1]));
  await follower.stop();
  expect(left).toEqual([1]);
});

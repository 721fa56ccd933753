/** Leases on a real replica set, by the clock of the database. */
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { MongoLease } from '../../src/mongo/leases.ts';
import { useDatabase } from '../support/database.ts';

const database = useDatabase();
const HOLDERS = 8;
let names = 0;

const lease = (name: string, ttlMs: number) => new MongoLease(database.db, name, ttlMs);
const fresh = () => `events:${names++}`;

/** Nothing in this process runs for so long. */
function standStill(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

describe('a lease', () => {
  it('is never held by two for all they know, however many race for it, are slow, or let it go', async () => {
    const name = fresh();
    const ttlMs = 200;
    const holders = Array.from({ length: HOLDERS }, () => lease(name, ttlMs));
    const [atLeast, atMost] = [performance.now() + 3_000, performance.now() + 40_000];
    const held = new Set<number>();
    // As long as it takes until each of them had its turn.
    const goesOn = () => performance.now() < atLeast || (held.size < HOLDERS && performance.now() < atMost);
    let most = 0;
    const look = () => {
      most = Math.max(most, holders.filter((one) => one.isHeld()).length);
    };
    const live = async (one: MongoLease, n: number) => {
      while (goesOn()) {
        const isHeld = await one.hold();
        look();
        if (isHeld && one.isHeld()) held.add(n);
        // Some work on for longer than they hold it, some let it go, some keep it for a while.
        const fate = Math.random();
        if (isHeld && fate < 0.2) await one.release();
        else if (isHeld && fate < 0.5) await sleep(1.5 * ttlMs * Math.random());
        else await sleep(20 * Math.random());
        look();
        if (Math.random() < 0.02) standStill(ttlMs);
      }
    };
    await Promise.all(holders.map(live));
    expect(most).toBe(1);
    expect(held.size).toBe(HOLDERS);
  });

  it('goes to exactly one of many who ask for it for the first time at once', async () => {
    for (let round = 0; round < 20; round++) {
      const name = fresh();
      const answers = await Promise.all(Array.from({ length: HOLDERS }, () => lease(name, 10_000).hold()));
      expect(answers.filter(Boolean)).toHaveLength(1);
    }
  });

  it('lets the next in at once when it is released', async () => {
    const name = fresh();
    const [first, second] = [lease(name, 60_000), lease(name, 60_000)];
    expect([await first.hold(), await second.hold()]).toEqual([true, false]);
    expect([first.isHeld(), second.isHeld()]).toEqual([true, false]);
    await first.release();
    expect([first.isHeld(), await second.hold(), second.isHeld(), await first.hold()]).toEqual([
      false,
      true,
      true,
      false,
    ]);
  });

  it('is known to be lost by who stood still for longer than it lasts, and is not taken back from the next', async () => {
    const name = fresh();
    const [first, second] = [lease(name, 300), lease(name, 60_000)];
    expect(await first.hold()).toBe(true);
    standStill(310);
    expect(first.isHeld()).toBe(false);
    expect(await second.hold()).toBe(true);
    expect(await first.hold()).toBe(false);
    // Nor does it let go of what is another's.
    await first.release();
    expect(second.isHeld()).toBe(true);
    expect(await lease(name, 300).hold()).toBe(false);
  });

  it('is kept by who asks again in time, and passes on to nobody meanwhile', async () => {
    const name = fresh();
    // Long enough for a slow machine to ask in time.
    const [first, second] = [lease(name, 4_000), lease(name, 4_000)];
    const until = performance.now() + 6_000;
    while (performance.now() < until) {
      expect(await first.hold()).toBe(true);
      expect(first.isHeld()).toBe(true);
      expect(await second.hold()).toBe(false);
      await sleep(100);
    }
  });
});

import { describe, expect, it } from 'vitest';
import { Engine } from '../../src/ledger/engine.ts';
import { Host, VirtualWorld } from '../simulation/virtual-world.ts';
import { anAccount, aPayment } from '../support/commands.ts';
import { quietLog } from '../support/log.ts';
import { MemoryStore } from '../support/memory-store.ts';

const MINUTE = 60_000;

/** An engine whose database answers after so many ms. */
function engineAt(world: VirtualWorld, store: MemoryStore, answersAfterMs: number): Engine {
  const host = new Host(world);
  const carry = async <T>(request: () => Promise<T>): Promise<T> => {
    await host.runtime.sleep((answersAfterMs * (0.5 + world.random())) / 2);
    try {
      return await host.carry(request);
    } finally {
      await host.runtime.sleep((answersAfterMs * (0.5 + world.random())) / 2);
    }
  };
  return new Engine({
    journal: store.journal(carry),
    claims: store.claimsPort(carry),
    accounts: store.accountsPort(carry),
    log: quietLog,
    runtime: host.runtime,
    limits: { recoverAfterMs: MINUTE },
  });
}

describe('a process that begins to write books which another one writes without a pause', () => {
  it.each([1, 2, 3, 4, 5])('gets its commands carried out soon, with seed %i', async (seed) => {
    const world = new VirtualWorld(seed);
    const store = new MemoryStore(world.runtime);
    for (const [book, id] of ['world0', 'world1'].entries()) {
      store.accounts.set(id, anAccount(id, { book, minBalance: null }));
      store.accounts.set(`a${book}`, anAccount(`a${book}`, { book }));
    }
    await world.live(
      (async () => {
        const busy = engineAt(world, store, 4);
        let isBusy = true;
        const callers = Array.from({ length: 16 }, async (_, n) => {
          while (isBusy) await busy.submit(aPayment(`world${n % 2}`, `a${n % 2}`, 1n));
        });
        await world.runtime.sleep(1_000);
        const late = engineAt(world, store, 4);
        const from = world.elapsed;
        for (let n = 0; n < 20; n++) await late.submit(aPayment(`world${n % 2}`, `a${(n + 1) % 2}`, 1n));
        expect(world.elapsed - from).toBeLessThan(3_000);
        isBusy = false;
        await Promise.all(callers);
        await Promise.all([busy.stop(), late.stop()]);
      })(),
      MINUTE,
    );
  });
});

import { describe, expect, it } from 'vitest';
import { Engine, type EngineDeps } from '../../src/ledger/engine.ts';
import type { Command } from '../../src/ledger/types.ts';
import { Host, VirtualWorld } from '../simulation/virtual-world.ts';
import { anAccount, aPayment } from '../support/commands.ts';
import { quietLog } from '../support/log.ts';
import { MemoryStore } from '../support/memory-store.ts';

const MINUTE = 60_000;
const LIMITS = { recoverAfterMs: 10_000, recoveryIntervalMs: 1_000, expireAfterMs: MINUTE };

/** A world with a store and any number of hosts, each with an engine. */
class Recovering {
  readonly world = new VirtualWorld(1);
  readonly store = new MemoryStore(this.world.runtime);

  constructor() {
    this.store.accounts.set('world', anAccount('world', { minBalance: null }));
    this.store.accounts.set('a', anAccount('a'));
  }

  host(clockOffMs = 0): Host {
    const host = new Host(this.world);
    host.clockOffMs = clockOffMs;
    return host;
  }

  engine(host: Host, deps: Partial<EngineDeps> = {}): Engine {
    const carry = host.carry.bind(host);
    return new Engine({
      journal: this.store.journal(carry),
      claims: this.store.claimsPort(carry),
      accounts: this.store.accountsPort(carry),
      log: quietLog,
      runtime: host.runtime,
      limits: LIMITS,
      ...deps,
    });
  }

  /** A claim whose owner is gone, admitted so long ago by a right clock. */
  async abandon(ageMs: number, command = aPayment('world', 'a', 1n)): Promise<Command> {
    const at = this.world.runtime.now() - ageMs;
    const claim = { id: `claim-${command.id}`, owner: 'gone', at, state: 'pending' as const, commands: [command] };
    expect(await this.store.claimsPort().insert(claim)).toBe('inserted');
    return command;
  }

  kinds(): string[] {
    return this.store.placed().map(({ entry }) => entry.rejection?.reason ?? entry.kind);
  }

  async sleep(ms: number): Promise<void> {
    await this.world.runtime.sleep(ms);
  }

  live(story: () => Promise<void>): Promise<void> {
    return this.world.live(story(), 10 * MINUTE);
  }
}

describe('recovery', () => {
  it('finishes any number of claims, a few at a time, also behind one that cannot be finished', async () => {
    const it = new Recovering();
    await it.live(async () => {
      for (let i = 0; i < 90; i++) await it.abandon(1_000, aPayment('world', i === 0 ? 'nobody' : 'a', 1n));
      const asked: number[] = [];
      const port = it.store.claimsPort();
      const loadPending = (ids: readonly string[]) => {
        asked.push(ids.length);
        return port.loadPending(ids);
      };
      const report = await it.engine(it.host(), { claims: { ...port, loadPending } }).recover(0);
      expect(report).toMatchObject({ claims: 90, drivenOn: 89, finished: 89, failed: 1 });
      expect(Math.max(...asked)).toBeLessThanOrEqual(20);
    });
  });

  it.each([0, 5 * MINUTE, -5 * MINUTE])(
    'leaves a claim alone until it has seen it pending for long enough, by a clock that is off by %i ms',
    async (clockOffMs) => {
      const it = new Recovering();
      await it.live(async () => {
        await it.abandon(0);
        const engine = it.engine(it.host(clockOffMs));
        engine.start();
        await it.sleep(9_000);
        expect(it.kinds()).toEqual([]);
        await it.sleep(3_000);
        expect(it.kinds()).toHaveLength(1);
        await engine.stop();
      });
    },
  );

  it('by hand watches what is pending for a while, and leaves what comes later to its owner', async () => {
    const it = new Recovering();
    await it.live(async () => {
      await it.abandon(0);
      const recovered = it.engine(it.host()).recover(10_000);
      await it.sleep(5_000);
      await it.abandon(0);
      expect(await recovered).toMatchObject({ claims: 1, drivenOn: 1, finished: 1 });
      expect(it.kinds()).toEqual(['payment']);
    });
  });

  it('carries out what is young, and ends what is old as expired', async () => {
    const it = new Recovering();
    await it.live(async () => {
      await it.abandon(MINUTE - 1_000);
      await it.abandon(MINUTE);
      expect(await it.engine(it.host()).recover(0)).toMatchObject({ drivenOn: 2, expired: 1, finished: 2 });
      expect(it.kinds().sort()).toEqual(['expired', 'payment']);
    });
  });
});

describe('a command that was claimed and not carried out', () => {
  it('is carried out for whoever asks for it again, however old it is and whatever the clock says', async () => {
    const it = new Recovering();
    await it.live(async () => {
      const command = await it.abandon(2 * MINUTE);
      const engine = it.engine(it.host(5 * MINUTE));
      expect(await engine.submit({ ...command, id: 'txn_again' })).toMatchObject({
        replayed: true,
        entry: { id: command.id, kind: 'payment' },
      });
      await engine.stop();
    });
  });

  it.each([
    [30_000, 'payment'],
    [2 * MINUTE, 'expired'],
  ])('ends, when its own process could not write for %i ms and its caller is long gone, as %s', async (ms, kind) => {
    const it = new Recovering();
    await it.live(async () => {
      const host = it.host();
      const journal = it.store.journal(host.carry.bind(host));
      let isAway = true;
      const engine = it.engine(host, {
        journal: {
          ...journal,
          append: async (blocks) => (isAway ? { landed: 0, ended: 'unknown' } : journal.append(blocks)),
        },
      });
      engine.start();
      await expect(engine.submit(aPayment('world', 'a', 1n))).rejects.toMatchObject({ code: 'outcome_unknown' });
      await it.sleep(ms - it.world.elapsed);
      isAway = false;
      await it.sleep(5_000);
      expect(it.kinds()).toEqual([kind]);
      await engine.stop();
    });
  });
});

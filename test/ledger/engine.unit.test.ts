import { describe, expect, it } from 'vitest';
import { Engine, type EngineDeps } from '../../src/ledger/engine.ts';
import type { Claim, ClaimsPort, JournalPort } from '../../src/ledger/ports.ts';
import type { Command } from '../../src/ledger/types.ts';
import { anAccount, aPayment } from '../support/commands.ts';
import { quietLog } from '../support/log.ts';
import { MemoryStore } from '../support/memory-store.ts';

const NOTHING_KNOWN = { landed: 0, ended: 'unknown' } as const;

function aWorld(deps: Partial<EngineDeps> = {}, claims: Partial<ClaimsPort> = {}, journal: Partial<JournalPort> = {}) {
  const store = new MemoryStore();
  store.accounts.set('world', anAccount('world', { minBalance: null }));
  store.accounts.set('a', anAccount('a'));
  const ports = {
    journal: { ...store.journal(), ...journal },
    claims: { ...store.claimsPort(), ...claims },
    accounts: store,
  };
  return { store, engine: new Engine({ ...ports, log: { ...quietLog, error: () => {} }, ...deps }) };
}

function aClaim(command: Command): Claim {
  return { id: `claim-${command.id}`, owner: 'gone', at: Date.now() - 1, state: 'pending', commands: [command] };
}

describe('the engine', () => {
  it.each([0, 1, 2, 3])('takes a command sent %i turns after the refusal of the last one', async (turns) => {
    const { engine } = aWorld();
    const later = async (n: number): Promise<unknown> => {
      for (let i = 0; i < n; i++) await undefined;
      return engine.submit(aPayment('world', 'a', 1n));
    };
    const outcome = await engine.submit(aPayment('world', 'nobody', 1n)).then(undefined, () => later(turns));
    expect(outcome).toMatchObject({ entry: { kind: 'payment' } });
  });

  it('joins a command sent again under its own id to its claim of another process, and counts it once', async () => {
    const { store, engine } = aWorld();
    const command = aPayment('world', 'a', 1n);
    await store.claimsPort().insert(aClaim(command));
    expect(await engine.submit(command)).toMatchObject({ replayed: true, entry: { id: command.id, kind: 'payment' } });
    expect(engine.stats()).toMatchObject({ inFlight: 0, inFlightBytes: 0 });
    expect(store.placed()).toHaveLength(1);
  });

  it('tells a known key as unknown, never as not written, when what stands under it cannot be read', async () => {
    const findByKeys = async () => Promise.reject(new Error('the database is away'));
    const { store, engine } = aWorld({ limits: { claimPatienceMs: 50 } }, { findByKeys });
    const command = aPayment('world', 'a', 1n);
    await store.claimsPort().insert(aClaim(command));
    await expect(engine.submit({ ...command, id: 'txn_again' })).rejects.toMatchObject({ code: 'outcome_unknown' });
  });

  it('goes on with others when a key is taken by a claim that cannot be seen', async () => {
    const { store, engine } = aWorld({ limits: { claimPatienceMs: 50 } }, { findByKeys: async () => [] });
    const command = aPayment('world', 'a', 1n);
    await store.claimsPort().insert(aClaim(command));
    await expect(engine.submit({ ...command, id: 'txn_again' })).rejects.toMatchObject({ code: 'outcome_unknown' });
    expect(await engine.submit(aPayment('world', 'a', 1n))).toMatchObject({ entry: { kind: 'payment' } });
  });

  it('decides no command whose claim is done, though its entry is not to be seen', async () => {
    const { store, engine } = aWorld();
    const command = aPayment('world', 'a', 1n);
    await store.claimsPort().insert({ ...aClaim(command), state: 'done' });
    await expect(engine.submit({ ...command, id: 'txn_again' })).rejects.toMatchObject({ code: 'outcome_unknown' });
    expect(store.placed()).toEqual([]);
  });

  it('lets only so many callers join a command in flight, and tells the others that its outcome is unknown', async () => {
    const { store, engine } = aWorld({ limits: { inFlightCommandsMax: 3 } });
    const command = aPayment('world', 'a', 1n);
    const callers = await Promise.allSettled(Array.from({ length: 6 }, () => engine.submit(command)));
    expect(callers.map(({ status }) => status)).toEqual([...Array(4).fill('fulfilled'), ...Array(2).fill('rejected')]);
    expect(callers[5]).toMatchObject({ reason: { code: 'outcome_unknown' } });
    expect(store.placed()).toHaveLength(1);
    expect(await engine.submit(command)).toMatchObject({ replayed: true });
  });

  it('stops in time though a claim of another process cannot be driven on', async () => {
    const { store, engine } = aWorld({ limits: { recoverAfterMs: 0 } }, {}, { append: async () => NOTHING_KNOWN });
    for (let i = 0; i < 3; i++) await store.claimsPort().insert(aClaim(aPayment('world', 'a', 1n)));
    engine.start();
    await expect.poll(() => engine.stats().inFlight).toBe(1);
    const began = Date.now();
    await engine.stop(100);
    expect(Date.now() - began).toBeLessThan(10_000);
  });
});

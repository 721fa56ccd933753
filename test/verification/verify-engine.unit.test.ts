/** What the engine writes is verified, whatever it is asked for and however its store fails. */
import { describe, expect, test } from 'vitest';
import { verify } from '../../src/verification/verify.ts';
import { lifeOf, type Mix } from '../simulation/simulation.ts';
import { auditOf } from '../support/memory-audit.ts';
import { NO_FAULTS } from '../support/memory-store.ts';

const SEEDS = 40;
const UNSURE = { ...NO_FAULTS, latencyMs: 2, answerLost: 0.1, writeLost: 0.1, writeLate: 0.5, readFails: 0.05 };
const MIXES: Record<string, Mix> = {
  'in one book': { faults: { ...NO_FAULTS, latencyMs: 2 }, engines: 1, lifeCycle: true },
  'in two books': { faults: { ...NO_FAULTS, latencyMs: 2 }, engines: 1, books: 2, lifeCycle: true },
  'in two books by two engines over an unsure store': { faults: UNSURE, engines: 2, books: 2, lifeCycle: true },
  'in three books by engines that die': { faults: UNSURE, engines: 3, books: 3, dies: 0.05, lifeCycle: true },
  'money between books': { faults: UNSURE, engines: 2, books: 3, crossing: true },
};

/** Kinds of entries that were written, with their parts. */
const written = new Set<string>();

describe.each(Object.entries(MIXES))('payments, what follows them and changes of accounts, %s', (_, mix) => {
  test.each(Array.from({ length: SEEDS }, (_unused, seed) => seed))('life %i', async (seed) => {
    const { store } = await lifeOf(seed, mix);
    const now = Math.max(...[...store.claims.values()].map(({ at }) => at));
    const { breaks, books } = await verify(auditOf(store), { clock: { now: () => now } });
    for (const { entry } of store.placed()) written.add(entry.span ? `${entry.kind} ${entry.span.part}` : entry.kind);
    expect(books.reduce((sum, { entries }) => sum + entries, 0)).toBeGreaterThan(0);
    // What an account cannot take is in suspense: that is no fault of the engine.
    expect(breaks.filter(({ kind }) => kind !== 'in_suspense')).toEqual([]);
  });
});

test('all of that was written', () => {
  const followed = ['capture debit', 'capture credit', 'refund debit', 'refund credit', 'reversal debit', 'expiry'];
  expect([...written]).toEqual(expect.arrayContaining([...followed, 'capture', 'cancel', 'refund', 'account_change']));
});

import { describe, expect, it } from 'vitest';
import { type Faults, NO_FAULTS } from '../support/memory-store.ts';
import { lifeOf, type Mix } from './simulation.ts';

const UNSURE: Faults = {
  ...NO_FAULTS,
  latencyMs: 2,
  answerLost: 0.1,
  writeLost: 0.1,
  writeLate: 0.5,
  readFails: 0.05,
};

/** Recovery that does not look for claims all the time when it has nothing else to do. */
const SELDOM = { recoveryIntervalMs: 1_000 };

const MIXES: Record<string, Mix> = {
  'one engine': { faults: UNSURE, engines: 1 },
  'two engines on one book': { faults: UNSURE, engines: 2 },
  'three engines on one book': { faults: UNSURE, engines: 3 },
  'more accounts than fit into memory, read slowly': {
    faults: { ...UNSURE, readSlow: 0.3 },
    engines: 2,
    accounts: 30,
    limits: { accountsInMemoryMax: 24, recoveryIntervalMs: 50 },
  },
  'three books in each round': { faults: { ...UNSURE, readSlow: 0.1 }, engines: 2, books: 3, accounts: 12 },
  'processes that die and freeze': {
    faults: { ...UNSURE, readSlow: 0.1 },
    engines: 3,
    dies: 0.05,
    freezes: 0.1,
    limits: { recoverAfterMs: 30 },
  },
  'processes that are stopped and replaced': { faults: UNSURE, engines: 2, restarts: 0.1 },
  'money between two books': { faults: UNSURE, engines: 1, books: 2, crossing: true },
  'money between four books, by three engines': { faults: UNSURE, engines: 3, books: 4, accounts: 12, crossing: true },
  'money between books, little memory, processes that die, freeze and are replaced': {
    faults: { ...UNSURE, readSlow: 0.1 },
    engines: 3,
    books: 3,
    accounts: 9,
    crossing: true,
    dies: 0.05,
    freezes: 0.1,
    restarts: 0.05,
    limits: { recoverAfterMs: 30, accountsInMemoryMax: 100 },
  },
  'money between books, processes that die in the middle of an insert': {
    faults: { ...UNSURE, answerLost: 0.5 },
    engines: 2,
    books: 4,
    accounts: 12,
    crossing: true,
    dies: 0.25,
    limits: { recoverAfterMs: 30 },
  },
  'money between books, clocks that jump by minutes': {
    faults: UNSURE,
    engines: 3,
    books: 2,
    crossing: true,
    clockOffMs: 300_000,
  },
  'payments that are captured later and refunded, within a book': {
    faults: UNSURE,
    engines: 2,
    lifeCycle: true,
    restarts: 0.05,
  },
  'payments that are captured later and refunded, between books, processes that die and freeze': {
    faults: { ...UNSURE, readSlow: 0.1 },
    engines: 3,
    books: 3,
    accounts: 9,
    lifeCycle: true,
    dies: 0.05,
    freezes: 0.1,
    limits: { recoverAfterMs: 30 },
  },
  'payments that are captured later and refunded, between books whose leaders move': {
    faults: UNSURE,
    engines: 3,
    books: 3,
    accounts: 9,
    lifeCycle: true,
    leadersMove: 0.1,
  },
  'books led by one of two processes': { faults: UNSURE, engines: 2, books: 3, accounts: 12, leadersMove: 0.05 },
  'money between books led by one of three processes': {
    faults: UNSURE,
    engines: 3,
    books: 4,
    accounts: 12,
    crossing: true,
    leadersMove: 0.1,
  },
  'money between books whose leaders die, freeze and are replaced': {
    faults: { ...UNSURE, readSlow: 0.1 },
    engines: 3,
    books: 3,
    accounts: 9,
    crossing: true,
    leadersMove: 0.2,
    dies: 0.05,
    freezes: 0.1,
    restarts: 0.05,
    limits: { recoverAfterMs: 30, accountsInMemoryMax: 100 },
  },
  'clocks that jump by minutes': { faults: UNSURE, engines: 3, clockOffMs: 300_000, dies: 0.05 },
  'a store that is away for minutes': { faults: UNSURE, engines: 2, awayMs: 180_000, dies: 0.02, limits: SELDOM },
  'money between books, a store that is away for minutes': {
    faults: UNSURE,
    engines: 2,
    books: 3,
    crossing: true,
    awayMs: 180_000,
    dies: 0.02,
    limits: SELDOM,
  },
};

/** SEED=n lives one life again; SEEDS=n lives that many of each mix. */
const seeds = process.env.SEED
  ? [Number(process.env.SEED)]
  : Array.from({ length: Number(process.env.SEEDS ?? 150) }, (_, i) => i + 1);

describe('engines over a store that fails', () => {
  it.each(Object.keys(MIXES))(
    'keep the books right and lose no claim, whatever the seed: %s',
    async (name) => {
      for (const seed of seeds) {
        const replay = `replay it with SEED=${seed} npx vitest run test/simulation -t '${name}'`;
        const { faults } = await lifeOf(seed, MIXES[name]!).catch((error: Error) => ({ faults: [error.message] }));
        expect(faults, replay).toEqual([]);
      }
    },
    60_000 + 200 * seeds.length,
  );
});

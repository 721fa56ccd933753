import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Engine, type EngineLimits } from '../../src/ledger/engine.ts';
import { isTransient, LedgerError } from '../../src/ledger/errors.ts';
import type { Command } from '../../src/ledger/types.ts';
import { anAccount, aPayment } from '../support/commands.ts';
import { quietLog } from '../support/log.ts';
import { Connection, type Faults, MemoryStore, NO_FAULTS, seeded } from '../support/memory-store.ts';
import { faultsOf, type Told } from './check-journal.ts';

const COMMANDS = 60;
const LIMITS: Partial<EngineLimits> = {
  claimPatienceMs: 60,
  callerPatienceMs: 5_000,
  recoverAfterMs: 0,
  recoveryIntervalMs: 10,
  blockEntriesMax: 5,
  roundCommandsMax: 15,
  recentOutcomesMax: 10,
  accountsInMemoryMax: 200,
};
const UNSURE: Faults = { ...NO_FAULTS, answerLost: 0.1, writeLost: 0.1, writeLate: 0.5, readFails: 0.05 };

interface Mix {
  readonly faults: Faults;
  readonly engines: number;
  readonly books?: number;
  readonly accounts?: number;
  readonly limits?: Partial<EngineLimits>;
  /** Probability, at each command, that the process that would take it dies, or freezes for some time. */
  readonly dies?: number;
  readonly freezes?: number;
  /** Probability that it is stopped and replaced, with little time to end what it has begun. */
  readonly restarts?: number;
  /** Each process's clock is off by up to this, and jumps within it. */
  readonly clockOffMs?: number;
  /** Money goes from any book to any other, some of it from and to several accounts at once. */
  readonly crossing?: boolean;
}

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
  'clocks that jump by minutes': { faults: UNSURE, engines: 3, clockOffMs: 300_000 },
};

/** SEED=n runs one world again; SEEDS=n runs that many. */
const seeds = process.env.SEED
  ? [Number(process.env.SEED)]
  : Array.from({ length: Number(process.env.SEEDS ?? 40) }, (_, i) => i + 1);

/** One process: an engine with a connection and a clock of its own. */
class Process {
  readonly connection = new Connection();
  readonly engine: Engine;
  readonly died: Promise<'died'>;
  die: () => void = () => {};
  /** Sets the clock anew. */
  readonly jump: () => void;
  #offMs = 0;

  constructor(store: MemoryStore, { limits, clockOffMs = 0 }: Mix) {
    const { random } = store;
    this.jump = () => {
      this.#offMs = Math.round((random() - 0.5) * 2 * clockOffMs);
    };
    this.jump();
    this.engine = new Engine({
      journal: store.journal(this.connection),
      claims: store.claimsPort(this.connection),
      accounts: {
        load: (ids) => this.connection.carry(() => store.load(ids)),
        ensure: (accounts) => this.connection.carry(() => store.ensure(accounts)),
      },
      log: quietLog,
      clock: { now: () => Date.now() + this.#offMs },
      limits: { ...LIMITS, ...limits },
    });
    this.died = new Promise((resolve) => {
      this.die = () => {
        this.connection.cut();
        resolve('died');
      };
    });
    this.engine.start();
  }
}

/** Several engines write one book at once, uncoordinated, over a journal that loses answers, loses and delays writes. */
async function live(seed: number, mix: Mix): Promise<string[]> {
  const random = seeded(seed);
  const pick = (n: number) => Math.floor(random() * n);
  const store = new MemoryStore(random, mix.faults);
  const { books = 1, accounts = 6 } = mix;
  for (let book = 0; book < books; book++) {
    store.accounts.set(`world${book}`, anAccount(`world${book}`, { book, minBalance: null }));
  }
  for (let i = 0; i < accounts; i++) {
    // Some can take only so much: what comes from another book and does not fit goes to suspense.
    const maxBalance = mix.crossing && i % 4 === 3 ? 60n : null;
    store.accounts.set(`a${i}`, anAccount(`a${i}`, { book: i % books, maxBalance }));
  }
  const running = Array.from({ length: mix.engines }, () => new Process(store, mix));
  const told: Told[] = [];
  const stopping: Promise<void>[] = [];
  const disturb = (n: number) => {
    if (random() < (mix.restarts ?? 0)) {
      stopping.push(running[n]!.engine.stop(10 * random()));
      running[n] = new Process(store, mix);
    }
    if (random() < (mix.dies ?? 0)) {
      running[n]!.die();
      running[n] = new Process(store, mix);
    }
    if (random() < (mix.freezes ?? 0)) running[n]!.connection.freeze(40 * random());
    if (mix.clockOffMs !== undefined && random() < 0.1) running[n]!.jump();
  };
  await Promise.all(
    Array.from({ length: COMMANDS }, async (_, i) => {
      await sleep(pick(20));
      const source = pick(accounts);
      const destination = (source + books) % accounts;
      const from = random() < 0.3 ? `world${source % books}` : `a${source}`;
      const key = `k${random() < 0.3 ? pick(i + 1) : i}`;
      const command = mix.crossing
        ? aCrossing(pick, accounts, books, key)
        : aPayment(from, `a${destination}`, BigInt(1 + pick(50)), { key });
      const n = pick(mix.engines);
      disturb(n);
      told.push(await ask(running[n]!, command));
      // The same key at another engine, under another id or the same.
      const id = random() < 0.5 ? `txn_again_${seed}_${i}` : command.id;
      if (random() < 0.4) told.push(await ask(running[pick(mix.engines)]!, { ...command, id }));
    }),
  );
  store.faults = NO_FAULTS;
  const isPending = () => [...store.claims.values()].filter(({ state }) => state === 'pending');
  // A claim is looked for once it is old by the clock of whoever looks.
  for (let i = 0; i < 150 && isPending().length > 0; i++) {
    if (mix.clockOffMs !== undefined) for (const one of running) one.jump();
    await sleep(20);
  }
  await Promise.all([...stopping, ...running.map(({ engine }) => engine.stop())]);
  const leaks = running.flatMap(({ engine }) => {
    const { inFlight, inFlightBytes } = engine.stats();
    return inFlight === 0 && inFlightBytes === 0 ? [] : [`${inFlight} commands, ${inFlightBytes} bytes are in flight`];
  });
  const world = { claims: [...store.claims.values()], accounts: [...store.accounts.values()], told };
  const blocks = [...store.blocks.values()];
  return [...leaks, ...faultsOf({ ...world, blocks })];
}

/** From one to three accounts to one to three others, wherever they are. */
function aCrossing(pick: (n: number) => number, accounts: number, books: number, key: string): Command {
  const first = pick(accounts);
  const chosen = Array.from({ length: 2 + pick(3) }, (_, i) => (first + i) % accounts);
  const givers = chosen.length === 2 ? 1 : 1 + pick(chosen.length - 1);
  const amount = BigInt(6 * (1 + pick(10)));
  const legs = chosen.map((n, i) => ({
    account: i < givers && pick(3) === 0 ? `world${pick(books)}` : `a${n}`,
    amount: i < givers ? -amount / BigInt(givers) : amount / BigInt(chosen.length - givers),
    currency: 'EUR',
  }));
  const accountsDiffer = new Set(legs.map(({ account }) => account)).size === legs.length;
  if (!accountsDiffer) return aCrossing(pick, accounts, books, key);
  const fingerprint = legs.map(({ account, amount }) => `${account}:${amount}`).join();
  return aPayment('x', 'y', 1n, { key, kind: 'transaction', legs, fingerprint });
}

async function ask(process: Process, command: ReturnType<typeof aPayment>): Promise<Told> {
  const { key } = command;
  try {
    const outcome = await Promise.race([process.engine.submit(command), process.died]);
    if (outcome === 'died') return { key, answer: 'unknown' };
    return { key, answer: outcome.entry.kind === 'rejected' ? 'rejected' : 'posted', id: outcome.entry.id };
  } catch (error) {
    if (!(error instanceof LedgerError)) throw error;
    if (error.code === 'overloaded') {
      await sleep(2);
      return ask(process, command);
    }
    const isUnknown = error.code === 'outcome_unknown' || error.code === 'idempotency_key_reused';
    return { key, answer: isUnknown ? 'unknown' : isTransient(error.code) ? 'nothing written' : 'refused' };
  }
}

describe('engines over a journal that fails', () => {
  it.each(Object.keys(MIXES))('keep the books right and lose no claim, whatever the seed: %s', async (name) => {
    const mix = MIXES[name]!;
    for (let from = 0; from < seeds.length; from += 20) {
      const batch = seeds.slice(from, from + 20);
      const faults = await Promise.all(batch.map((seed) => live(seed * 10 + mix.engines, mix)));
      for (const [i, found] of faults.entries()) expect(found, `SEED=${batch[i]}`).toEqual([]);
    }
  });
});

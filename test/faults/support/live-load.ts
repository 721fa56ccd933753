import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Db, MongoClient } from 'mongodb';
import { expect } from 'vitest';
import type { Engine, EngineLimits } from '../../../src/ledger/engine.ts';
import type { Command } from '../../../src/ledger/types.ts';
import { CLAIMS } from '../../../src/mongo/claims.ts';
import { createClient } from '../../../src/mongo/client.ts';
import { MongoJournal } from '../../../src/mongo/journal.ts';
import { migrateUp } from '../../../src/mongo/migrate.ts';
import { faultsOf, type Told } from '../../simulation/check-journal.ts';
import { type Acknowledged, type BalanceRead, readFaultsOf } from '../../simulation/check-reads.ts';
import { addAccounts, allBlocks, allClaims, startEngine } from '../../support/engine.ts';
import { ACCOUNTS_IN_TWO_BOOKS, again, BOOKS, isSettled, mixedCommand, tellOf } from './load.ts';

const CALLERS = 32;
const READ_EVERY = 4;
const ATTEMPTS_MAX = 40;

export interface LoadPlan {
  readonly engines: number;
  readonly limits?: Partial<EngineLimits>;
}

/** A call, in the order of answers. */
interface Call {
  readonly command: Command;
  readonly process: number;
  readonly calledAt: number;
  readonly answeredAt: number;
  readonly told: Told;
}

/**
 * Callers of some engines, each with its own client, that never rest: they pay within books and between them, read
 * balances, and keep a history of all they were told. Times are of `performance.now()`.
 */
export class LiveLoad {
  readonly calls: Call[] = [];
  readonly reads: BalanceRead[] = [];
  readonly #startedAt = performance.now();
  readonly #callers: Promise<void>[];
  #running = true;
  #next = 0;

  private constructor(
    readonly name: string,
    readonly db: Db,
    readonly clients: readonly MongoClient[],
    readonly engines: readonly Engine[],
  ) {
    this.#callers = Array.from({ length: CALLERS }, (_, caller) => this.#live(caller % engines.length));
  }

  static async start(uri: string, database: string, { engines: count, limits }: LoadPlan): Promise<LiveLoad> {
    const clients = await Promise.all(Array.from({ length: count }, () => createClient(uri).connect()));
    const db = clients[0]!.db(database);
    await migrateUp(db);
    await addAccounts(db, ACCOUNTS_IN_TWO_BOOKS);
    const engines = clients.map((client) =>
      startEngine(client.db(database), { limits: { recoverAfterMs: 1_000, recoveryIntervalMs: 500, ...limits } }),
    );
    return new LiveLoad(database, db, clients, engines);
  }

  acknowledged(): Call[] {
    return this.calls.filter(({ told }) => isSettled(told));
  }

  /** Resolves when so many calls that begin from now on were acknowledged by each engine. */
  async progress(calls: number): Promise<void> {
    const from = performance.now();
    const since = (_: Engine, process: number) =>
      this.acknowledged().filter((call) => call.process === process && call.calledAt > from).length;
    await expect
      .poll(() => Math.min(...this.engines.map(since)), { timeout: 40_000, interval: 100 })
      .toBeGreaterThan(calls);
  }

  /**
   * Ends the load, asks again for whatever is unknown, lets every claim come to its end and closes all. Answers what is
   * wrong, and prints one line about what was survived.
   */
  async end(faultsInjected: number): Promise<string[]> {
    this.#running = false;
    await Promise.all(this.#callers);
    const settled = await Promise.all(this.#unknown().map((call) => this.#settle(call)));
    const pending = () => this.db.collection(CLAIMS).countDocuments({ state: 'pending' });
    await expect.poll(pending, { timeout: 20_000 }).toBe(0);
    await Promise.all(this.engines.map((engine) => engine.stop()));
    const blocks = await allBlocks(this.db, BOOKS);
    const told = [...this.calls.map((call) => call.told), ...settled];
    const acknowledged = this.acknowledged().map((call): Acknowledged => ({ ...call, id: call.told.id! }));
    const found = [
      ...settled.filter((one) => !isSettled(one)).map(({ key }) => `${key} stays unknown`),
      ...faultsOf({ blocks, claims: await allClaims(this.db), accounts: ACCOUNTS_IN_TWO_BOOKS, told }),
      ...readFaultsOf({ blocks, reads: this.reads, acknowledged }),
    ];
    this.#print(faultsInjected, acknowledged.length);
    await this.close();
    return found;
  }

  async close(): Promise<void> {
    this.#running = false;
    await Promise.all(this.engines.map((engine) => engine.stop(0)));
    await Promise.all(this.clients.map((client) => client.close()));
  }

  async #live(process: number): Promise<void> {
    for (; this.#running; ) {
      const n = this.#next++;
      const isAnswered = n % READ_EVERY === 0 ? await this.#read(process, n) : await this.#pay(process, n);
      // A caller that was refused at once does not come back at once.
      if (!isAnswered) await sleep(20);
    }
  }

  async #pay(process: number, n: number): Promise<boolean> {
    const command = mixedCommand(n);
    const calledAt = performance.now();
    const told = await tellOf(this.engines[process]!, command);
    this.calls.push({ command, process, calledAt, answeredAt: performance.now(), told });
    return isSettled(told);
  }

  async #read(process: number, n: number): Promise<boolean> {
    const account = ACCOUNTS_IN_TWO_BOOKS[(n / READ_EVERY) % ACCOUNTS_IN_TWO_BOOKS.length]!.id;
    const calledAt = performance.now();
    try {
      const journal = new MongoJournal(this.clients[process]!.db(this.db.databaseName));
      const { posted, height } = (await journal.balances([account])).get(account) ?? { posted: 0n, height: 0 };
      this.reads.push({ account, posted, height, process, calledAt, answeredAt: performance.now() });
      return true;
    } catch {
      // A read that failed says nothing.
      return false;
    }
  }

  #unknown(): Call[] {
    return this.calls.filter(({ told }) => told.answer === 'unknown');
  }

  /** At another engine than was asked at first, if there is one. */
  async #settle({ command, process }: Call): Promise<Told> {
    const engine = this.engines[(process + 1) % this.engines.length]!;
    let told = await tellOf(engine, again(command));
    for (let attempt = 1; attempt < ATTEMPTS_MAX && !isSettled(told); attempt++) {
      await sleep(250);
      told = await tellOf(engine, again(command));
    }
    return told;
  }

  #print(faults: number, acknowledged: number): void {
    const seconds = ((performance.now() - this.#startedAt) / 1000).toFixed(1);
    const operations = this.calls.length + this.reads.length;
    const counts = `${operations} operations (${this.reads.length} reads), ${acknowledged} acknowledged`;
    console.info(`${this.name}: ${counts}, ${this.#unknown().length} unknown, ${faults} faults, ${seconds} s`);
  }
}

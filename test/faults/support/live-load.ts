import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';
import type { Db, MongoClient } from 'mongodb';
import { expect } from 'vitest';
import type { Command, StoredBlock } from '../../../src/ledger/types.ts';
import { CLAIMS } from '../../../src/mongo/claims.ts';
import { createClient } from '../../../src/mongo/client.ts';
import { migrateUp } from '../../../src/mongo/migrate.ts';
import { faultsOf, type Told } from '../../simulation/check-journal.ts';
import { type Acknowledged, type BalanceRead, readFaultsOf } from '../../simulation/check-reads.ts';
import { addAccounts, allBlocks, allClaims } from '../../support/engine.ts';
import { ACCOUNTS_IN_TWO_BOOKS, again, BOOKS, isSettled, mixedCommand } from './load.ts';
import type { Taker } from './takers.ts';

const CALLERS = 32;
const READ_EVERY = 4;
const RUSH_TICK_MS = 5;
const ATTEMPTS_MAX = 60;
const PROGRESS_MS_MAX = 60_000;
const RECOVERED_MS_MAX = 60_000;
const STATUS_MS_MAX = 5_000;

/** A call, in the order of answers. */
export interface Call {
  readonly command: Command;
  /** Index of the taker that was asked. */
  readonly process: number;
  readonly calledAt: number;
  readonly answeredAt: number;
  readonly told: Told;
}

/**
 * Callers of some takers over one database that never rest: they pay within books and between them, read balances, and
 * keep a history of all they were told. Times are of `performance.now()`.
 */
export class LiveLoad {
  readonly calls: Call[] = [];
  readonly reads: BalanceRead[] = [];
  readsFailed = 0;
  readonly takers: Taker[] = [];
  readonly #startedAt = performance.now();
  readonly #callers: Promise<void>[] = [];
  #running = true;
  #next = 0;

  private constructor(
    readonly client: MongoClient,
    readonly db: Db,
    readonly callers: number,
  ) {}

  /** Makes the database; `add` begins the load, of so many callers. `uri` is what the checker reads by. */
  static async over(uri: string, database: string, callers = CALLERS): Promise<LiveLoad> {
    const client = await createClient(uri).connect();
    const db = client.db(database);
    await migrateUp(db);
    await addAccounts(db, ACCOUNTS_IN_TWO_BOOKS);
    return new LiveLoad(client, db, callers);
  }

  /** From now on a share of callers asks this one, too. */
  add(...takers: Taker[]): void {
    for (const taker of takers) {
      const process = this.takers.push(taker) - 1;
      const callers = Math.ceil(this.callers / takers.length);
      for (let caller = 0; caller < callers; caller++) this.#callers.push(this.#live(process));
    }
  }

  /**
   * From now on so many payments a second are sent besides, each at its time, whether those before were answered or not.
   * Answers how to end that, which resolves when each has its answer.
   */
  rush(process: number, perSecond: number): () => Promise<void> {
    const answers: Promise<boolean>[] = [];
    const from = performance.now();
    const timer = setInterval(() => {
      const due = ((performance.now() - from) * perSecond) / 1000;
      while (answers.length < due) answers.push(this.#pay(process, this.#next++));
    }, RUSH_TICK_MS);
    return async () => {
      clearInterval(timer);
      await Promise.all(answers);
    };
  }

  acknowledged(): Call[] {
    return this.calls.filter(({ told }) => isSettled(told));
  }

  /** Resolves when so many calls that begin from now on were acknowledged by each taker, or by those given. */
  async progress(calls: number, processes = this.takers.map((_, process) => process)): Promise<void> {
    const from = performance.now();
    const since = (process: number) =>
      this.acknowledged().filter((call) => call.process === process && call.calledAt > from).length;
    try {
      await expect
        .poll(() => Math.min(...processes.map(since)), { timeout: PROGRESS_MS_MAX, interval: 100 })
        .toBeGreaterThan(calls);
    } catch (error) {
      throw new Error(`payments do not go on: ${await this.#situation(processes.map(since))}`, { cause: error });
    }
  }

  /** Who has come how far, and what the members of the replica set say of themselves: for whoever reads the failure. */
  async #situation(acknowledged: readonly number[]): Promise<string> {
    const status = { replSetGetStatus: 1, maxTimeMS: STATUS_MS_MAX };
    const set = await this.client
      .db('admin')
      .command(status)
      .catch((error: unknown) => String(error));
    const stats = this.takers.map(({ stats }) => stats?.() ?? null);
    const last = this.calls.slice(-3).map(({ process, told, answeredAt }) => ({ process, ...told, answeredAt }));
    return inspect({ acknowledged, stats, last, now: performance.now(), set }, { depth: 6, breakLength: 120 });
  }

  /**
   * Ends the load, asks again for whatever is unknown, lets every claim come to its end and stops all. Answers what is
   * wrong, and prints one line about what was survived.
   */
  async end(faultsInjected: number): Promise<string[]> {
    this.#running = false;
    await Promise.all(this.#callers);
    const settled = await Promise.all(this.#unknown().map((call) => this.#settle(call)));
    const pending = () => this.db.collection(CLAIMS).countDocuments({ state: 'pending' });
    await expect.poll(pending, { timeout: RECOVERED_MS_MAX }).toBe(0);
    await this.#stopTakers();
    const blocks = await this.blocks();
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

  /** All that stands now. */
  blocks(): Promise<StoredBlock[]> {
    return allBlocks(this.db, BOOKS);
  }

  /** For the end of a test, however it ended. */
  async close(): Promise<void> {
    this.#running = false;
    await this.#stopTakers();
    await this.client.close();
  }

  async #stopTakers(): Promise<void> {
    await Promise.all(this.takers.map((taker) => taker.stop()));
  }

  async #live(process: number): Promise<void> {
    for (; this.#running; ) {
      const n = this.#next++;
      const { balance } = this.takers[process]!;
      const isRead = balance !== undefined && n % READ_EVERY === 0;
      const isAnswered = isRead ? await this.#read(process, n, balance) : await this.#pay(process, n);
      // A caller that was refused at once does not come back at once.
      if (!isAnswered) await sleep(20);
    }
  }

  async #pay(process: number, n: number): Promise<boolean> {
    const command = mixedCommand(n);
    const calledAt = performance.now();
    const told = await this.takers[process]!.tell(command);
    this.calls.push({ command, process, calledAt, answeredAt: performance.now(), told });
    return isSettled(told);
  }

  async #read(process: number, n: number, balance: NonNullable<Taker['balance']>): Promise<boolean> {
    const account = ACCOUNTS_IN_TWO_BOOKS[(n / READ_EVERY) % ACCOUNTS_IN_TWO_BOOKS.length]!.id;
    const calledAt = performance.now();
    try {
      const { posted, height } = (await balance(account)) ?? { posted: 0n, height: 0 };
      this.reads.push({ account, posted, height, process, calledAt, answeredAt: performance.now() });
      return true;
    } catch {
      // It says nothing.
      this.readsFailed++;
      return false;
    }
  }

  #unknown(): Call[] {
    return this.calls.filter(({ told }) => told.answer === 'unknown');
  }

  /** At another taker than was asked at first, if there is one. */
  async #settle({ command, process }: Call): Promise<Told> {
    const taker = this.takers[(process + 1) % this.takers.length]!;
    let told = await taker.tell(again(command));
    for (let attempt = 1; attempt < ATTEMPTS_MAX && !isSettled(told); attempt++) {
      await sleep(250);
      told = await taker.tell(again(command));
    }
    return told;
  }

  #print(faults: number, acknowledged: number): void {
    const seconds = ((performance.now() - this.#startedAt) / 1000).toFixed(1);
    const operations = this.calls.length + this.reads.length;
    const counts = `${operations} operations (${this.reads.length} reads), ${acknowledged} acknowledged`;
    const name = this.db.databaseName.replaceAll('_', ' ');
    console.info(`${name}: ${counts}, ${this.#unknown().length} unknown, ${faults} faults, ${seconds} s`);
  }
}

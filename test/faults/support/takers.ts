import type { MongoClient } from 'mongodb';
import type { Engine, EngineLimits } from '../../../src/ledger/engine.ts';
import type { Balance, Command } from '../../../src/ledger/types.ts';
import { createClient } from '../../../src/mongo/client.ts';
import { MongoJournal } from '../../../src/mongo/journal.ts';
import type { Told } from '../../simulation/check-journal.ts';
import { startEngine } from '../../support/engine.ts';
import { tellOf } from './load.ts';
import type { WorkerPlan } from './worker-messages.ts';
import { WorkerProcess, type WorkerSurroundings } from './worker-process.ts';

export type BalanceTold = Pick<Balance, 'posted' | 'height'>;

/** Somebody who takes commands and says what became of them. */
export interface Taker {
  /** Never rejects. */
  tell(command: Command): Promise<Told>;
  /** An account's balance; null: it was never posted to. Absent: this one is asked for none. */
  readonly balance?: (account: string) => Promise<BalanceTold | null>;
  /** Its own figures, for whoever looks into a failure. */
  readonly stats?: () => object;
  /** Ends in order. May be called twice. */
  stop(): Promise<void>;
}

/** Recovery in a moment, so that tests need not wait for it. */
const LIMITS: Partial<EngineLimits> = { recoverAfterMs: 1_000, recoveryIntervalMs: 500 };

/** An engine in this process, with a client of its own. */
export class EngineTaker implements Taker {
  private constructor(
    readonly client: MongoClient,
    readonly engine: Engine,
    readonly database: string,
  ) {}

  static async start(uri: string, database: string, limits: Partial<EngineLimits> = {}): Promise<EngineTaker> {
    const client = await createClient(uri).connect();
    const engine = startEngine(client.db(database), { limits: { ...LIMITS, ...limits } });
    return new EngineTaker(client, engine, database);
  }

  tell(command: Command): Promise<Told> {
    return tellOf(this.engine, command);
  }

  readonly balance = async (account: string): Promise<Balance | null> => {
    const journal = new MongoJournal(this.client.db(this.database));
    return (await journal.balances([account])).get(account) ?? null;
  };

  readonly stats = (): object => this.engine.stats();

  async stop(): Promise<void> {
    await this.engine.stop(0);
    await this.client.close();
  }
}

/** An engine in a process of its own, that can be killed and started anew. */
export class WorkerTaker implements Taker {
  #worker: WorkerProcess;

  constructor(
    readonly plan: WorkerPlan,
    readonly surroundings: WorkerSurroundings = {},
  ) {
    this.#worker = new WorkerProcess(plan, surroundings);
  }

  tell(command: Command): Promise<Told> {
    return this.#worker.tell(command);
  }

  signal(signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void {
    this.#worker.signal(signal);
  }

  /** Resolves when it is gone; another one like it takes what comes from now on. */
  async killAndReplace(): Promise<void> {
    const killed = this.#worker;
    killed.signal('SIGKILL');
    await killed.ended();
    this.#worker = new WorkerProcess(this.plan, this.surroundings);
  }

  async stop(): Promise<void> {
    this.#worker.stop();
    await this.#worker.ended();
  }
}

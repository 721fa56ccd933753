import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ServiceProcess } from '../../../src/demo/service-process.ts';
import type { Command } from '../../../src/ledger/types.ts';
import { freePort } from '../../../src/mongo/free-ports.ts';
import type { Place } from '../../../src/mongo/mongod-process.ts';
import { Api } from '../../service/support/api.ts';
import type { Told } from '../../simulation/check-journal.ts';
import { compile } from '../../support/build.ts';
import { balanceOverHttp, tellOverHttp } from './http-taker.ts';
import { BOOKS } from './load.ts';
import type { BalanceTold, Taker } from './takers.ts';

export interface ServicePlan {
  readonly uri: string;
  readonly database: string;
  readonly apiKey: string;
  /** For its logs. */
  readonly folder: string;
  /** Where it runs and is reached; by default here. */
  readonly place?: Place;
  readonly settings?: Readonly<Record<string, string>>;
}

const HERE: Place = { host: '127.0.0.1', within: [] };

/** `kvitt serve` in a process of its own, used over HTTP, and replaced by another one as a deployment does. */
export class ServiceTaker implements Taker {
  /** How long those waited that were refused for want of room. */
  readonly refusedAfterMs: number[] = [];
  #starts = 0;
  #process!: ServiceProcess;
  #api!: Api;

  private constructor(readonly plan: ServicePlan) {}

  static async start(plan: ServicePlan): Promise<ServiceTaker> {
    const taker = new ServiceTaker(plan);
    await taker.#startAnother();
    return taker;
  }

  tell(command: Command): Promise<Told> {
    return tellOverHttp(this.#api, command, (afterMs) => this.refusedAfterMs.push(afterMs));
  }

  readonly balance = (account: string): Promise<BalanceTold> => balanceOverHttp(this.#api, account);

  get process(): ServiceProcess {
    return this.#process;
  }

  get address(): string {
    return this.#process.address;
  }

  /** See {@link ServiceProcess.residentMiB}. */
  residentMiB(): Promise<number | null> {
    return this.#process.residentMiB();
  }

  /** Starts another one, sends it all calls from now on, and ends the one before in order. Answers its exit code. */
  async deploy(): Promise<number | null> {
    const before = this.#process;
    await this.#startAnother();
    return before.end('SIGTERM');
  }

  /** Callers find nobody for a while. */
  async killAndReplace(): Promise<void> {
    await this.#process.end('SIGKILL');
    await sleep(100);
    await this.#startAnother();
  }

  async stop(): Promise<void> {
    await this.#process.end('SIGTERM');
  }

  async #startAnother(): Promise<void> {
    const port = await freePort();
    const { uri, database, apiKey, folder, settings, place = HERE } = this.plan;
    const address = `http://${place.host}:${port}`;
    const environment = {
      MONGODB_URI: uri,
      MONGODB_DATABASE: database,
      HTTP_HOST: place.host,
      HTTP_PORT: String(port),
      BOOKS: String(BOOKS),
      BOOTSTRAP_API_KEY: apiKey,
      RECOVERY_AFTER_SECONDS: '1',
      ...settings,
    };
    const log = join(folder, `service-${place.host}-${port}-${++this.#starts}.log`);
    const program = ['--max-semi-space-size=32', ...(await compile()).program];
    const another = new ServiceProcess(address, environment, log, program, place.within);
    await another.start();
    this.#process = another;
    this.#api = new Api(address, apiKey);
  }
}

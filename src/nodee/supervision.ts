import { setTimeout as sleep } from 'node:timers/promises';
import type { ProcessTable } from '../processes/table.ts';
import type { Log } from '../processes/types.ts';
import type { HostDesired } from './types.ts';

const RETRY_MS = 1_000;

/** The processes of the host, for as long as it is this agent that looks after them. */
export class Supervision {
  readonly #open: () => Promise<ProcessTable>;
  readonly #onChange: () => void;
  readonly #log: Log;
  #table: ProcessTable | null = null;
  #wanted: HostDesired | null = null;
  #isOn = true;
  #changing: Promise<void> = Promise.resolve();

  constructor(open: () => Promise<ProcessTable>, onChange: () => void, log: Log) {
    this.#open = open;
    this.#onChange = onChange;
    this.#log = log;
  }

  /** Takes them over for the first time. @throws Error when that cannot be done */
  start(): Promise<void> {
    const started = this.#changing.then(() => (this.#table === null ? this.#takeOver() : undefined));
    this.#changing = started.catch(() => undefined);
    return started;
  }

  /** Null: they are not looked after here now. */
  get table(): ProcessTable | null {
    return this.#table;
  }

  want(desired: HostDesired): void {
    this.#wanted = desired;
    this.#table?.want(desired.processes);
    this.#onChange();
  }

  /** Lets go of all processes, which run on, or takes them over again. */
  set(isOn: boolean): Promise<void> {
    this.#isOn = isOn;
    this.#changing = this.#changing.then(() => this.#change());
    return this.#changing;
  }

  async #change(): Promise<void> {
    while (this.#isOn && this.#table === null) {
      try {
        await this.#takeOver();
      } catch (error) {
        this.#log.error({ err: error }, 'the processes of this host cannot be taken over; it is tried again');
        await sleep(RETRY_MS, undefined, { ref: false });
      }
    }
    if (this.#isOn || this.#table === null) return;
    const table = this.#table;
    this.#table = null;
    await table.close();
    this.#onChange();
  }

  async #takeOver(): Promise<void> {
    const table = await this.#open();
    table.onChange(this.#onChange);
    this.#table = table;
    if (this.#wanted !== null) table.want(this.#wanted.processes);
    this.#onChange();
  }
}

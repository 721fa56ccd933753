import { LedgerError } from './errors.ts';
import type { Task } from './task.ts';
import type { Outcome } from './types.ts';

/** Callers that hold a command of their own and wait for the end of another. */
const WATCHING_MAX = 1_000;

export interface InFlightLimits {
  /** Commands between submit and outcome. */
  readonly commandsMax: number;
  /** Callers that wait for a command that another one has sent. */
  readonly joinedMax: number;
  /** Their estimated bytes. */
  readonly bytesMax: number;
  /** Their legs; each may pin an account in memory. */
  readonly legsMax: number;
}

/** Every command between submit and outcome, by key and by id, within limits. */
export class InFlight {
  readonly #byKey = new Map<string, Task>();
  readonly #byId = new Map<string, Task>();
  #bytes = 0;
  #legs = 0;
  #joined = 0;
  #watching = 0;

  constructor(readonly limits: InFlightLimits) {}

  get size(): number {
    return this.#byId.size;
  }
  get bytes(): number {
    return this.#bytes;
  }

  byKey(key: string): Task | undefined {
    return this.#byKey.get(key);
  }
  byId(id: string): Task | undefined {
    return this.#byId.get(id);
  }

  /** @throws LedgerError overloaded */
  checkRoomFor(bytes: number, legs: number): void {
    const { commandsMax, bytesMax, legsMax } = this.limits;
    if (this.size + 1 > commandsMax || this.#bytes + bytes > bytesMax || this.#legs + legs > legsMax) {
      throw new LedgerError(
        'overloaded',
        'the queue in front of the ledger is full; nothing was written, send it again',
      );
    }
  }

  /** Lets one more caller wait for a command in flight; null: too many do so. */
  join(task: Task): Promise<Outcome> | null {
    if (this.#joined >= this.limits.joinedMax) return null;
    this.#joined++;
    return task.wait(true).finally(() => {
      this.#joined--;
    });
  }

  /** Lets one more caller wait for the end of a command that it does not ask for; null: too many do so. */
  watch(task: Task): Promise<Outcome> | null {
    if (this.#watching >= WATCHING_MAX) return null;
    this.#watching++;
    return task.watch().finally(() => {
      this.#watching--;
    });
  }

  add(task: Task): void {
    this.#byKey.set(task.command.key, task);
    this.#byId.set(task.command.id, task);
    this.#bytes += task.bytes;
    this.#legs += task.command.legs.length;
  }

  remove(task: Task): void {
    const { key, id, legs } = task.command;
    if (this.#byId.get(id) !== task) return;
    this.#byId.delete(id);
    if (this.#byKey.get(key) === task) this.#byKey.delete(key);
    this.#bytes -= task.bytes;
    this.#legs -= legs.length;
  }

  /** Ids of the commands whose claim is durable, or may be. */
  claimedIds(): string[] {
    const ids: string[] = [];
    for (const [id, { state }] of this.#byId) if (state !== 'queued') ids.push(id);
    return ids;
  }

  /** Tasks, oldest first. */
  tasks(): IterableIterator<Task> {
    return this.#byId.values();
  }
}

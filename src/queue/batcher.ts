import { setTimeout as sleep } from 'node:timers/promises';
import { backoffMs } from '../ledger/retry.ts';

/** What SQS takes in one call. */
export const BATCH_MAX = 10;
const LINGER_MS = 5;
/** Calls under way at once; what comes meanwhile waits, and makes the next ones fuller. */
const CALLS_MAX = 8;
const ATTEMPTS_MAX = 4;
const RETRY_BASE_MS = 100;
const RETRY_MAX_MS = 2_000;

/** An item that the server did not take. `final`: it never will (a stale receipt handle), so do not ask again. */
export interface Refused {
  readonly index: number;
  readonly final: boolean;
}

interface Waiting<T> {
  readonly item: T;
  readonly resolve: (done: boolean) => void;
}

/**
 * Gathers single requests into calls of up to ten. `call` sends one batch and says which items were refused; items that
 * were, and whole calls that throw, are sent again a few times.
 */
export class Batcher<T> {
  #waiting: Waiting<T>[] = [];
  #timer: NodeJS.Timeout | undefined;
  /** Has the first that waits waited for long enough? */
  #isDue = false;
  #calls = 0;
  readonly #call: (items: readonly T[]) => Promise<readonly Refused[]>;

  constructor(call: (items: readonly T[]) => Promise<readonly Refused[]>) {
    this.#call = call;
  }

  /** True once the server took it; false when it was given up. Never rejects. */
  add(item: T): Promise<boolean> {
    return new Promise((resolve) => {
      this.#waiting.push({ item, resolve });
      this.#timer ??= setTimeout(() => {
        this.#isDue = true;
        this.#pump();
      }, LINGER_MS);
      this.#pump();
    });
  }

  #pump(): void {
    while (this.#calls < CALLS_MAX && this.#waiting.length >= (this.#isDue ? 1 : BATCH_MAX)) {
      this.#calls++;
      void this.#send(this.#waiting.splice(0, BATCH_MAX)).finally(() => {
        this.#calls--;
        this.#pump();
      });
    }
    if (this.#waiting.length > 0) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#isDue = false;
  }

  async #send(batch: readonly Waiting<T>[]): Promise<void> {
    let left = batch;
    for (let attempt = 1; left.length > 0 && attempt <= ATTEMPTS_MAX; attempt++) {
      if (attempt > 1) await sleep(backoffMs(attempt - 1, RETRY_BASE_MS, RETRY_MAX_MS));
      left = await this.#attempt(left);
    }
    for (const { resolve } of left) resolve(false);
  }

  /** Settles what is settled and returns what is worth another attempt. */
  async #attempt(batch: readonly Waiting<T>[]): Promise<readonly Waiting<T>[]> {
    let refused: Map<number, boolean>;
    try {
      const answers = await this.#call(batch.map(({ item }) => item));
      refused = new Map(answers.map(({ index, final }) => [index, final]));
    } catch {
      return batch;
    }
    const again: Waiting<T>[] = [];
    batch.forEach((waiting, index) => {
      const final = refused.get(index);
      if (final === false) again.push(waiting);
      else waiting.resolve(final === undefined);
    });
    return again;
  }
}

import { setTimeout as sleep } from 'node:timers/promises';

const RETRY_MS = 1_000;

/** Does something again and again until it is stopped. What fails is told, and tried again after a second. */
export class Loop {
  readonly #turn: () => Promise<number>;
  readonly #onFailed: (error: unknown) => void;
  #abort: AbortController | null = null;
  #running: Promise<void> = Promise.resolve();

  /** @param turn Is done once, and answers how long to rest before the next time, ms. */
  constructor(turn: () => Promise<number>, onFailed: (error: unknown) => void) {
    this.#turn = turn;
    this.#onFailed = onFailed;
  }

  /** Once: what was stopped is not started again. */
  start(): void {
    if (this.#abort) return;
    this.#abort = new AbortController();
    this.#running = this.#run(this.#abort.signal);
  }

  /** Resolves when the turn that has begun is at its end. */
  async stop(): Promise<void> {
    this.#abort?.abort();
    await this.#running;
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      let restMs = RETRY_MS;
      try {
        restMs = await this.#turn();
      } catch (error) {
        this.#onFailed(error);
      }
      await sleep(restMs, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }
}

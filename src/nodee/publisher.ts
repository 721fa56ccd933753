import { setTimeout as sleep } from 'node:timers/promises';

const BETWEEN_MS_MIN = 250;
const BETWEEN_MS_MAX = 10_000;

/**
 * Publishes after each change, and every {@link BETWEEN_MS_MAX} without one, one at a time and no more often than every
 * {@link BETWEEN_MS_MIN}: of changes in between the last one counts.
 */
export class Publisher {
  readonly #publish: () => Promise<void>;
  readonly #ended = new AbortController();
  #pause = new AbortController();
  #running: Promise<void> | null = null;

  /** @param publish Fails never. */
  constructor(publish: () => Promise<void>) {
    this.#publish = publish;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  changed(): void {
    this.#pause.abort();
  }

  /** Resolves when what was under way is done. */
  async stop(): Promise<void> {
    this.#ended.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#ended.signal.aborted) {
      // Before it is published: what changes meanwhile is published next.
      this.#pause = new AbortController();
      await this.#publish();
      await pause(BETWEEN_MS_MIN, this.#ended.signal);
      await pause(BETWEEN_MS_MAX - BETWEEN_MS_MIN, AbortSignal.any([this.#ended.signal, this.#pause.signal]));
    }
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}

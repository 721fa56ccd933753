import type { Logger } from 'pino';

/** Things to end, in the reverse order of how they were begun. */
export class Closers {
  readonly #closers: (() => Promise<unknown>)[] = [];

  add(close: () => Promise<unknown>): void {
    this.#closers.push(close);
  }

  async closeAll(log: Logger): Promise<void> {
    for (let close = this.#closers.pop(); close !== undefined; close = this.#closers.pop()) {
      await close().catch((error: unknown) => log.error({ err: error }, 'a part did not end cleanly'));
    }
  }
}

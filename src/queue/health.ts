import type { Log } from '../ledger/ports.ts';

/** Whether something that the consumer needs works. Logs when that changes, not each time it is found so. */
export class Health {
  #downSince: number | undefined;
  readonly #log: Log;
  readonly #what: string;
  readonly #advice: string;

  /** `what` is the subject of the sentence that is logged; `advice` says what to look at when it is down. */
  constructor(log: Log, what: string, advice: string) {
    this.#log = log;
    this.#what = what;
    this.#advice = advice;
  }

  up(): void {
    if (this.#downSince === undefined) return;
    const downMs = Date.now() - this.#downSince;
    this.#downSince = undefined;
    this.#log.info({ downMs }, `${this.#what} works again`);
  }

  /** `found`: by what it was found, for the log. */
  down(error: unknown, found: { readonly messageId?: string } = {}): void {
    if (this.#downSince !== undefined) return;
    this.#downSince = Date.now();
    this.#log.warn({ err: error, ...found }, `${this.#what} does not work; ${this.#advice}`);
  }

  /** Milliseconds since it went down; undefined while it is up. */
  get downMs(): number | undefined {
    return this.#downSince === undefined ? undefined : Date.now() - this.#downSince;
  }
}

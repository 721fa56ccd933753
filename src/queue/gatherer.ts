/**
 * Lets messages through together while there are many: what comes to the ledger at once is one claim and one block, and
 * the larger these are, the less each message costs. Nobody waits while the queue is nearly empty.
 */
export class Gatherer {
  #waiting: (() => void)[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(
    readonly countMax: number,
    readonly lingerMs: number,
  ) {}

  /** Resolves when the message may go on. */
  join(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      if (this.#waiting.length >= this.countMax) this.release();
      else this.#timer ??= setTimeout(() => this.release(), this.lingerMs);
    });
  }

  /** Lets all go on. */
  release(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const goOn of this.#waiting.splice(0)) goOn();
  }
}

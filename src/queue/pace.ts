/** Lets so many a second go, evenly: after a pause they do not come all at once. */
export class Pace {
  /** When the next may go, in ms of the clock. */
  #next = Number.NEGATIVE_INFINITY;
  readonly #perSecond: number;
  readonly #clock: () => number;
  readonly #pause: (ms: number) => Promise<unknown>;

  constructor(perSecond: number, clock: () => number, pause: (ms: number) => Promise<unknown>) {
    this.#perSecond = perSecond;
    this.#clock = clock;
    this.#pause = pause;
  }

  /** Waits until the next `count` may go. */
  async take(count: number): Promise<void> {
    const now = this.#clock();
    const from = Math.max(now, this.#next);
    this.#next = from + (count * 1000) / this.#perSecond;
    if (from > now) await this.#pause(from - now);
  }
}

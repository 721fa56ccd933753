import type { Received } from './message.ts';

/** Checks so often in the time that a message is hidden; renewed when half of that is over. */
const CHECKS_PER_VISIBILITY = 8;

/** Messages in hand: how many, how large together, and hidden from others for as long as they are. */
export class InHand {
  /** Since when each is hidden, ms on the clock that never jumps. */
  readonly #hiddenSince = new Map<Received, number>();
  readonly #timer: NodeJS.Timeout;
  #bytes = 0;

  /** `hide` hides a message for so many seconds from now on. */
  constructor(
    readonly visibilitySeconds: number,
    readonly hide: (message: Received, seconds: number) => unknown,
  ) {
    this.#timer = setInterval(() => this.#renew(), (visibilitySeconds * 1000) / CHECKS_PER_VISIBILITY);
    this.#timer.unref();
  }

  get count(): number {
    return this.#hiddenSince.size;
  }

  /** Of their bodies, in UTF-16 units: what they take in memory, or half of it. */
  get bytes(): number {
    return this.#bytes;
  }

  /** `askedAt`: when it was asked for, by `performance.now()`; it is hidden from some time after that on. */
  add(message: Received, askedAt: number): void {
    this.#hiddenSince.set(message, askedAt);
    this.#bytes += message.body.length;
  }

  remove(message: Received): void {
    if (this.#hiddenSince.delete(message)) this.#bytes -= message.body.length;
  }

  all(): Received[] {
    return [...this.#hiddenSince.keys()];
  }

  /** They are hidden no longer than they are. */
  letGo(): void {
    clearInterval(this.#timer);
  }

  #renew(): void {
    const now = performance.now();
    const due = now - this.visibilitySeconds * 500;
    for (const [message, since] of this.#hiddenSince) {
      if (since > due) continue;
      this.#hiddenSince.set(message, now);
      this.hide(message, this.visibilitySeconds);
    }
  }
}

import type { Received } from './message.ts';

/** Checks so often in the time that a message is hidden; renewed when half of that is over. */
const CHECKS_PER_VISIBILITY = 8;

interface Hold {
  /** Since when it is hidden, ms on the clock that never jumps. */
  since: number;
  renewal: Promise<void> | null;
  /** It is hidden no longer than it is. */
  isEnding: boolean;
}

/** Messages in hand: how many, how large together, and hidden from others for as long as they are. */
export class InHand {
  readonly #holds = new Map<Received, Hold>();
  readonly #timer: NodeJS.Timeout;
  #bytes = 0;

  /** `hide` hides a message for so many seconds from now on, and answers whether it is; it never rejects. */
  constructor(
    readonly visibilitySeconds: number,
    readonly hide: (message: Received, seconds: number) => Promise<boolean>,
  ) {
    this.#timer = setInterval(() => this.#renewAll(), (visibilitySeconds * 1000) / CHECKS_PER_VISIBILITY);
    this.#timer.unref();
  }

  get count(): number {
    return this.#holds.size;
  }

  /** Of their bodies, in UTF-16 units: what they take in memory, or half of it. */
  get bytes(): number {
    return this.#bytes;
  }

  /** `askedAt`: when it was asked for, by `performance.now()`; it is hidden from some time after that on. */
  add(message: Received, askedAt: number): void {
    this.#holds.set(message, { since: askedAt, renewal: null, isEnding: false });
    this.#bytes += message.body.length;
  }

  remove(message: Received): void {
    if (this.#holds.delete(message)) this.#bytes -= message.body.length;
  }

  /** Resolves when nothing renews it any more: what is said of it after that holds. */
  async end(message: Received): Promise<void> {
    const hold = this.#holds.get(message);
    if (hold === undefined) return;
    hold.isEnding = true;
    await hold.renewal;
  }

  all(): Received[] {
    return [...this.#holds.keys()];
  }

  /** They are hidden no longer than they are. */
  letGo(): void {
    clearInterval(this.#timer);
  }

  #renewAll(): void {
    const due = performance.now() - this.visibilitySeconds * 500;
    for (const [message, hold] of this.#holds) {
      if (hold.since <= due && hold.renewal === null && !hold.isEnding) hold.renewal = this.#renew(message, hold);
    }
  }

  /** One that fails is tried again at the next check. */
  async #renew(message: Received, hold: Hold): Promise<void> {
    const now = performance.now();
    if (await this.hide(message, this.visibilitySeconds)) hold.since = now;
    hold.renewal = null;
  }
}

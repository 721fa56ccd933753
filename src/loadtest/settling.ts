import { setTimeout as sleep } from 'node:timers/promises';
import type { Told } from './outcome.ts';
import type { ReadyCall } from './user.ts';

const AT_ONCE = 16;
const BACKOFF_MS = 100;
const BACKOFF_MS_MAX = 2_000;

/** Sends calls again whose fate is not known, with the same keys, until it is: what is done once stays done once. */
export class Settling {
  readonly #send: (call: ReadyCall) => Promise<Told>;
  readonly #ms: number;

  constructor(send: (call: ReadyCall) => Promise<Told>, ms: number) {
    this.#send = send;
    this.#ms = ms;
  }

  /** Resolves when each was settled or the time is up. */
  async run(calls: readonly ReadyCall[], settled: (call: ReadyCall, told: Told) => void): Promise<void> {
    const waiting = [...calls];
    const until = performance.now() + this.#ms;
    const work = async () => {
      for (let call = waiting.shift(); call !== undefined; call = waiting.shift()) {
        const answer = await this.#ask(call, until);
        if (answer !== null) settled(call, answer);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
  }

  /** null: it is still not known. */
  async #ask(call: ReadyCall, until: number): Promise<Told | null> {
    for (let pause = BACKOFF_MS; performance.now() < until; pause = Math.min(2 * pause, BACKOFF_MS_MAX)) {
      const answer = await this.#send(call);
      // Refused now says nothing about the first time.
      if (answer.outcome === 'ok' || answer.outcome === 'declined') return answer;
      await sleep(pause);
    }
    return null;
  }
}

/** How often, and how soon, what ended is started again. */
import type { ProcessSpec } from './spec.ts';

/** Of a backoff, at most so much is left out at random: what ended together is not started again together. */
const JITTER = 0.2;

/** Of one specification on one host. */
export class Restarts {
  readonly #policy: ProcessSpec['restart'];
  readonly #random: () => number;
  /** When it ended, ms since 1970, within the last `period`. */
  #ends: number[] = [];
  /** So many ends since it was last healthy for a `period`: each doubles the backoff. */
  #row = 0;
  /** So many starts one after the other that were never healthy. */
  #neverHealthy = 0;
  #count = 0;

  constructor(policy: ProcessSpec['restart'], random: () => number) {
    this.#policy = policy;
    this.#random = random;
  }

  /** So often it was to be started again. */
  get count(): number {
    return this.#count;
  }

  /**
   * It ended, at a time in ms since 1970, after it had been healthy for so long; null: it never was. Answers after how
   * many ms it is started again; null: not any more.
   */
  failed(atMs: number, healthyForMs: number | null): number | null {
    const { max, period, backoff, ceiling } = this.#policy;
    if (healthyForMs !== null && healthyForMs >= period * 1000) this.#forget();
    this.#neverHealthy = healthyForMs === null ? this.#neverHealthy + 1 : 0;
    this.#ends = [...this.#ends.filter((end) => atMs - end < period * 1000), atMs].slice(-(max + 1));
    // What is never healthy may take so long over each start that too few of them fall within one period: it would be
    // started for ever, and nobody told that it does not work.
    if (this.#ends.length > max || this.#neverHealthy > max) return null;
    const whole = Math.min(ceiling, backoff * 2 ** this.#row) * 1000;
    this.#row += 1;
    this.#count += 1;
    return whole * (1 - JITTER * this.#random());
  }

  #forget(): void {
    this.#ends = [];
    this.#row = 0;
  }
}

/** Those of the specification that was tried last: another one begins anew. */
export class Attempts {
  readonly #random: () => number;
  #of: { readonly hash: string; readonly restarts: Restarts; notBeforeMs: number } | null = null;

  constructor(random: () => number) {
    this.#random = random;
  }

  get count(): number {
    return this.#of?.restarts.count ?? 0;
  }

  /** As {@link Restarts.failed}. */
  failed(
    { hash, spec }: { hash: string; spec: ProcessSpec },
    atMs: number,
    healthyForMs: number | null,
  ): number | null {
    const of = this.#ofVersion({ hash, spec });
    const delayMs = of.restarts.failed(atMs, healthyForMs);
    of.notBeforeMs = atMs + (delayMs ?? 0);
    return delayMs;
  }

  /** It ended through no fault of its own, now: that does not count, and it is not started again at once all the same. */
  ended(version: { hash: string; spec: ProcessSpec }): void {
    this.#ofVersion(version).notBeforeMs = Date.now() + version.spec.restart.backoff * 1000;
  }

  /** ms until that specification may be started; never longer than its backoff, should the clock be set back. */
  waitMs({ hash, spec }: { hash: string; spec: ProcessSpec }): number {
    if (this.#of?.hash !== hash) return 0;
    return Math.min(Math.max(0, this.#of.notBeforeMs - Date.now()), spec.restart.ceiling * 1000);
  }

  forget(): void {
    this.#of = null;
  }

  forgetOthers({ hash }: { hash: string }): void {
    if (this.#of?.hash !== hash) this.forget();
  }

  #ofVersion({ hash, spec }: { hash: string; spec: ProcessSpec }) {
    if (this.#of?.hash !== hash) {
      this.#of = { hash, restarts: new Restarts(spec.restart, this.#random), notBeforeMs: 0 };
    }
    return this.#of;
  }
}

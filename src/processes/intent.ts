/** What is wanted of a coordinate, what came of trying it, and so what is to run. */
import type { Version } from './life.ts';
import { Attempts } from './restarts.ts';

/**
 * - `refused`: what was healthy before runs on, or comes back
 * - `failed`: nothing runs, until somebody wants something else
 * - otherwise it is tried again, after so many ms
 */
export type Outcome = 'refused' | 'failed' | { readonly delayMs: number };

export class Intent {
  readonly #attempts: Attempts;
  #wanted: Version | null = null;
  #isTold = false;
  #isUnwanted = false;
  #fallback: Version | null = null;
  #refused: string | null = null;
  #refusal: string | null = null;
  #isFailed = false;

  constructor(random: () => number) {
    this.#attempts = new Attempts(random);
  }

  /** Null: it is not wanted any more. Answers whether that is something else than before. */
  want(version: Version | null): boolean {
    const before = this.#goal;
    this.#isTold = true;
    this.#isUnwanted = version === null;
    if (version !== null && version.hash !== this.#wanted?.hash) {
      this.#refused = null;
      this.#refusal = null;
      this.#isFailed = false;
    }
    this.#wanted = version ?? this.#wanted;
    return this.#goal !== before;
  }

  /** Until somebody says what is wanted, it is what was found running; null: nothing was. */
  guess(version: Version | null): void {
    if (!this.#isTold) this.#wanted = version;
  }

  /** Did somebody say what is wanted, or is it a guess? */
  get isTold(): boolean {
    return this.#isTold;
  }

  get isUnwanted(): boolean {
    return this.#isUnwanted;
  }

  get isFailed(): boolean {
    return this.#isFailed;
  }

  /** Hash of what is wanted, and did not become healthy; null: it did, or that is not known yet. */
  get refused(): string | null {
    return this.#refused;
  }

  /** Why, for people. */
  get refusal(): string | null {
    return this.#refusal;
  }

  get restarts(): number {
    return this.#attempts.count;
  }

  /** What is to run; null: nothing. */
  get target(): Version | null {
    if (this.#wanted === null || this.#isUnwanted || !this.#wanted.spec.run) return null;
    return this.#refused === this.#wanted.hash ? (this.#fallback ?? this.#wanted) : this.#wanted;
  }

  /** What was healthy here last, and comes back when what follows it does not become so. */
  get fallback(): Version | null {
    return this.#fallback;
  }

  /** ms until it may be started. */
  waitMs(version: Version): number {
    return this.#attempts.waitMs(version);
  }

  fallBackTo(version: Version): void {
    this.#fallback = version;
    this.#attempts.forgetOthers(version);
  }

  /** It ended before anybody here looked after it, at a time in ms since 1970. */
  endedBefore(version: Version, atMs: number, livedForMs: number): void {
    this.#attempts.failed(version, atMs, livedForMs);
  }

  /** It ended, and that was not its fault. */
  ended(version: Version): void {
    this.#attempts.ended(version);
  }

  /** It ended, or did not start; `healthyForMs` is null when it never was healthy. */
  failed(version: Version, why: string, healthyForMs: number | null): Outcome {
    if (this.hasOther(version)) return this.refuse(version, why);
    const delayMs = this.#attempts.failed(version, Date.now(), healthyForMs);
    return delayMs === null ? this.#fail(version, why) : { delayMs };
  }

  /** It cannot be started here, however often it is tried. */
  refuse(version: Version, why: string): Outcome {
    if (!this.hasOther(version)) return this.#fail(version, why);
    this.#refused = version.hash;
    this.#refusal = `${version.hash} was refused: ${why}`;
    return 'refused';
  }

  /** Is there something that can run in its place? */
  hasOther(version: Version): boolean {
    return version.hash === this.#wanted?.hash && this.#fallback !== null && this.#fallback.hash !== version.hash;
  }

  /** Somebody asks for another try. */
  retry(): void {
    this.#attempts.forget();
    this.#refused = null;
    this.#refusal = null;
    this.#isFailed = false;
  }

  /** Nothing runs, as wanted: what ran here once is not what runs in place of what comes next. */
  stopped(): void {
    this.retry();
    this.#fallback = null;
  }

  #fail(version: Version, why: string): Outcome {
    this.#isFailed = true;
    this.#fallback = null;
    this.#refused ??= version.hash;
    this.#refusal ??= `${version.hash} was refused: ${why}`;
    return 'failed';
  }

  /** The same text as before: nothing else is wanted. */
  get #goal(): string {
    if (!this.#isTold) return 'nobody knows';
    return this.#isUnwanted || this.#wanted === null ? 'nothing' : `${this.#wanted.hash} ${this.#wanted.spec.run}`;
  }
}

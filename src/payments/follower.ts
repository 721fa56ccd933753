import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '../ledger/ports.ts';

const RETRY_MS = 1000;

/** What taking in some blocks has come to. */
export interface Advanced {
  /** How many things were taken in. */
  readonly taken: number;
  /** Is there nothing further in the book? */
  readonly isAtTip: boolean;
  /** Everything that was in the journal by then is taken in; ms since the epoch. */
  readonly asOf: number;
}

/**
 * Something that is made from the journal alone and written behind it: it goes on where it stopped, may be cleared and
 * made anew at any time, and several processes may write it at once. Nothing is decided from it.
 */
export interface Projection {
  /** Takes in the next blocks of a book, a bounded number of them, durably. */
  advance(book: number): Promise<Advanced>;
  /** Forgets everything. */
  clear(): Promise<void>;
}

export interface FollowerOptions {
  /** For people who read logs: "the list of payments". */
  readonly name: string;
  readonly projection: Projection;
  readonly books: number;
  readonly log: Log;
  /** Between two looks at a book that held nothing further. */
  readonly pollMs: number;
  /** While it is behind: rests for so many times as long as taking in some blocks took, to leave room for payments. */
  readonly rest?: number;
}

/** Keeps a projection up with the journal, a little behind it. */
export class Follower {
  #abort: AbortController | null = null;
  #loop: Promise<unknown> = Promise.resolve();
  readonly #asOf = new Map<number, number>();

  constructor(readonly options: FollowerOptions) {}

  start(): void {
    if (this.#abort) return;
    this.#abort = new AbortController();
    const { signal } = this.#abort;
    this.#loop = Promise.all(Array.from({ length: this.options.books }, (_, book) => this.#follow(book, signal)));
  }

  async stop(): Promise<void> {
    this.#abort?.abort();
    await this.#loop;
  }

  /** How far it is behind the journal in the book where it is worst, in ms; 0 before it follows any. */
  lagMs(now = Date.now()): number {
    return Math.max(0, ...[...this.#asOf.values()].map((at) => now - at));
  }

  /**
   * Forgets everything and takes it in again; `onTaken` is told how many so far. Services that follow the journal
   * meanwhile take their share of it.
   */
  async rebuild(books: readonly number[], onTaken: (taken: number) => void = () => undefined): Promise<void> {
    await this.options.projection.clear();
    let taken = 0;
    for (const book of books) {
      await this.catchUp(book, (count) => {
        taken += count;
        onTaken(taken);
      });
    }
  }

  /** Takes in everything that a book holds now. */
  async catchUp(book: number, onTaken?: (taken: number) => void): Promise<void> {
    for (;;) {
      const { taken, isAtTip } = await this.#advance(book);
      onTaken?.(taken);
      if (isAtTip) return;
    }
  }

  async #advance(book: number): Promise<Advanced> {
    const advanced = await this.options.projection.advance(book);
    this.#asOf.set(book, advanced.asOf);
    return advanced;
  }

  async #follow(book: number, signal: AbortSignal): Promise<void> {
    const { name, pollMs, rest = 0, log } = this.options;
    while (!signal.aborted) {
      let wait = pollMs;
      try {
        const began = performance.now();
        const { isAtTip } = await this.#advance(book);
        if (!isAtTip) wait = rest * (performance.now() - began);
      } catch (error) {
        log.warn({ err: error, book }, `${name} cannot follow the journal; trying again`);
        wait = RETRY_MS;
      }
      await sleep(wait, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }
}

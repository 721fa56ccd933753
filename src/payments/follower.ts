import type { Log } from '../ledger/ports.ts';
import { Loop } from './loop.ts';

/** How often a book is looked at that another process follows: it may be gone. */
const OTHERS_POLL_MS = 5_000;
const BOOKS_AT_FULL_RATE = 2;
/** One that is further behind does not rest. */
const RESTS_WITHIN_MS = 10_000;

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
 * Something that is made from the journal alone and done behind it: it goes on where it stopped, and several processes
 * may do it at once. Nothing is decided from it.
 */
export interface Projection {
  /** Takes in the next blocks of a book, a bounded number of them, durably. */
  advance(book: number): Promise<Advanced>;
  /** Another process is to follow the book from here: gives up what would keep it from that. */
  leave?(book: number): Promise<void>;
}

/** One that may be cleared and made anew at any time. */
export interface Rebuildable extends Projection {
  /** Forgets everything. */
  clear(): Promise<void>;
}

/** Is it for this process to follow the book? */
export type IsOurs = (book: number) => boolean;

/** The numbers of so many books. */
export function firstBooks(count: number): number[] {
  return Array.from({ length: count }, (_, book) => book);
}

export interface FollowerOptions<P extends Projection = Projection> {
  /** For people who read logs: "the list of payments". */
  readonly name: string;
  readonly projection: P;
  /** Their numbers, and those of whatever else is followed as if it were one. */
  readonly books: readonly number[];
  readonly log: Log;
  /**
   * Between two looks at a book that held nothing further. Longer when many books are followed: each look costs writes,
   * however little they hold.
   */
  readonly pollMs: number;
  /** Of several processes each book needs one to follow it closely. */
  readonly isOurs: IsOurs;
  /**
   * While it is behind, by {@link RESTS_WITHIN_MS} at most: rests for so many times as long as taking in some blocks took,
   * to leave room for payments. So a rush of them is not slowed down, and is caught up with after it.
   */
  readonly rest?: number;
}

/** Keeps a projection up with the journal, a little behind it. */
export class Follower<P extends Projection = Projection> {
  /** One a book. */
  readonly #loops: readonly Loop[];
  readonly #asOf = new Map<number, number>();

  constructor(readonly options: FollowerOptions<P>) {
    const { name, books, log } = options;
    this.#loops = books.map((book) => {
      return new Loop(this.#follow(book), (error) => {
        log.warn({ err: error, book }, `${name} cannot follow the journal; trying again`);
      });
    });
  }

  start(): void {
    for (const loop of this.#loops) loop.start();
  }

  async stop(): Promise<void> {
    await Promise.all(this.#loops.map((loop) => loop.stop()));
  }

  /** How far it is behind the journal in the book where it is worst, in ms; 0 before it follows any. */
  lagMs(now = Date.now()): number {
    return Math.max(0, ...[...this.#asOf.values()].map((at) => now - at));
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

  #pollMs(): number {
    const { books, pollMs } = this.options;
    const ours = books.filter(this.options.isOurs);
    return pollMs * Math.max(1, ours.length / BOOKS_AT_FULL_RATE);
  }

  /** Looks at a book when it is our turn to, and answers how long to rest. */
  #follow(book: number): () => Promise<number> {
    const { rest = 0, isOurs } = this.options;
    let lastMs = Number.NEGATIVE_INFINITY;
    return async () => {
      const began = performance.now();
      if (!isOurs(book) && began - lastMs < OTHERS_POLL_MS) return this.#pollMs();
      lastMs = began;
      const { isAtTip, asOf } = await this.#advance(book);
      if (!isOurs(book)) await this.options.projection.leave?.(book);
      if (isAtTip) return this.#pollMs();
      return Date.now() - asOf < RESTS_WITHIN_MS ? rest * (performance.now() - began) : 0;
    };
  }
}

/**
 * Forgets everything and takes it in again; `onTaken` is told how much so far. Services that follow the journal meanwhile
 * take their share of it.
 */
export async function rebuild(
  follower: Follower<Rebuildable>,
  books: readonly number[],
  onTaken: (taken: number) => void = () => undefined,
): Promise<void> {
  await follower.options.projection.clear();
  let taken = 0;
  for (const book of books) {
    await follower.catchUp(book, (count) => {
      taken += count;
      onTaken(taken);
    });
  }
}

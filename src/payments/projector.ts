import { setTimeout as sleep } from 'node:timers/promises';
import { isPrimary } from '../ledger/assemble.ts';
import type { Log } from '../ledger/ports.ts';
import type { StoredBlock } from '../ledger/types.ts';
import type { BlockReader, PaymentsView } from './ports.ts';
import type { PaymentView } from './types.ts';
import { commandKind, paymentView } from './views.ts';

/** Taken in together: what it costs is round trips, hardly documents. Each has up to 4 MiB. */
const BLOCKS_AT_ONCE = 20;
const POLL_MS = 200;
const RETRY_MS = 1000;

/**
 * Keeps the read model of payments up with the journal, a little behind it. It goes on where it stopped; several
 * instances may do so at once, since taking in a block twice changes nothing.
 */
export class Projector {
  #abort: AbortController | null = null;
  #loop: Promise<unknown> = Promise.resolve();
  /** Of each book: when all that was then in the journal had been taken in, in ms since the epoch. */
  readonly #caughtUpAt = new Map<number, number>();

  constructor(
    readonly deps: {
      readonly journal: BlockReader;
      readonly view: PaymentsView;
      readonly books: number;
      readonly log: Log;
    },
  ) {}

  start(): void {
    if (this.#abort) return;
    this.#abort = new AbortController();
    const { signal } = this.#abort;
    this.#loop = Promise.all(Array.from({ length: this.deps.books }, (_, book) => this.#follow(book, signal)));
  }

  async stop(): Promise<void> {
    this.#abort?.abort();
    await this.#loop;
  }

  /** How far the read model is behind the journal in the book where it is worst, in ms; 0 before it follows any. */
  lagMs(now = Date.now()): number {
    return Math.max(0, ...[...this.#caughtUpAt.values()].map((at) => now - at));
  }

  /**
   * Forgets the whole read model and builds it again. Services that follow the journal meanwhile do no harm, and go on
   * from wherever this is.
   */
  async rebuild(books: readonly number[], onProgress: (payments: number) => void = () => undefined): Promise<void> {
    await this.deps.view.clear();
    let payments = 0;
    for (const book of books) {
      await this.catchUp(book, undefined, (count) => {
        payments += count;
        onProgress(payments);
      });
    }
  }

  /** Takes in everything that a book holds now; answers the height reached. `onTaken` is told of payments taken in. */
  async catchUp(book: number, signal?: AbortSignal, onTaken?: (payments: number) => void): Promise<number> {
    const { journal, view } = this.deps;
    let height = await view.height(book);
    while (!signal?.aborted) {
      const asked = Date.now();
      const blocks = await journal.read(book, height + 1, BLOCKS_AT_ONCE);
      const last = blocks.at(-1);
      if (last) {
        const payments = blocks.flatMap(paymentsOf);
        await view.apply(book, { above: height, upTo: last.height }, payments);
        onTaken?.(payments.length);
        height = last.height;
      }
      const isAtTip = blocks.length < BLOCKS_AT_ONCE;
      this.#caughtUpAt.set(book, isAtTip ? asked : last!.at);
      if (isAtTip) break;
    }
    return height;
  }

  async #follow(book: number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      let wait = POLL_MS;
      try {
        await this.catchUp(book, signal);
      } catch (error) {
        this.deps.log.warn({ err: error, book }, 'the read model of payments cannot follow the journal; trying again');
        wait = RETRY_MS;
      }
      await sleep(wait, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }
}

function paymentsOf({ at, book, height, entries }: StoredBlock): PaymentView[] {
  return entries
    .filter((entry) => commandKind(entry) === 'payment' && isPrimary(entry))
    .map((entry) => paymentView({ entry, at, book, height }));
}

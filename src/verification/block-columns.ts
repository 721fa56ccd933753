import { widened } from '../ledger/columns.ts';
import type { BlockKind, Entry } from '../ledger/types.ts';

const ENTRIES_AT_FIRST = 1024;

/** What was read of an entry. */
export const ENTRY = {
  /** Anything else: it stands decoded in {@link BlockColumns.others}. */
  other: 0,
  /** A payment or transaction within one book that was carried out: one posting or more, and details perhaps. */
  ordinary: 1,
  /** A whole command that was rejected for a reason that exists, and has no postings. */
  rejected: 2,
} as const;

/**
 * One block, read without making an object of anything ordinary in it: a row for each entry and each posting, one block
 * after another in the same columns. Amounts and balances are minor units, all of them safe integers.
 *
 * Whoever fills it vouches for this: the block's bytes hash to the hash that they hold, it is a block in its exact form
 * and nothing else, and the database's index finds it by just the accounts that it posts to.
 */
export class BlockColumns {
  book = 0;
  height = 0;
  term = 0;
  /** Milliseconds since the epoch. */
  at = 0;
  kind: BlockKind = 'entries';
  postingsBelow = 0;
  prev: Uint8Array = new Uint8Array(32);
  hash: Uint8Array = new Uint8Array(32);
  entries = 0;
  postings = 0;
  /** By entry: one of {@link ENTRY}. */
  what = new Uint8Array(ENTRIES_AT_FIRST);
  /** By entry: the posting behind its last one. Postings of other entries have no rows. */
  ends = new Uint32Array(ENTRIES_AT_FIRST);
  /** By entry. */
  readonly others = new Map<number, Entry>();
  /** By posting, as are those that follow: the number of its account. */
  slot = new Int32Array(2 * ENTRIES_AT_FIRST);
  amount = new Float64Array(2 * ENTRIES_AT_FIRST);
  posted = new Float64Array(2 * ENTRIES_AT_FIRST);
  held = new Float64Array(2 * ENTRIES_AT_FIRST);
  /** See {@link currencyCode}. */
  currency = new Int32Array(2 * ENTRIES_AT_FIRST);
  /** How many postings all entries have, the others included. */
  postingsInAll = 0;

  /** Makes room for one more entry. */
  roomForEntry(): void {
    if (this.entries < this.what.length) return;
    this.what = widened(this.what, new Uint8Array(2 * this.what.length));
    this.ends = widened(this.ends, new Uint32Array(2 * this.ends.length));
  }

  /** Makes room for one more posting. */
  roomForPosting(): void {
    if (this.postings < this.slot.length) return;
    const length = 2 * this.slot.length;
    this.slot = widened(this.slot, new Int32Array(length));
    this.amount = widened(this.amount, new Float64Array(length));
    this.posted = widened(this.posted, new Float64Array(length));
    this.held = widened(this.held, new Float64Array(length));
    this.currency = widened(this.currency, new Int32Array(length));
  }

  clear(): void {
    this.entries = 0;
    this.postings = 0;
    this.postingsInAll = 0;
    this.others.clear();
  }
}

/** Numbers accounts; -1: it does not know the account. */
export interface AccountNumbers {
  find(id: string): number;
  /** By an id of plain ASCII from `start` to before `end`, and the `accountHash` of it. */
  findBytes(bytes: Uint8Array, start: number, end: number, hash: number): number;
}

/** A currency of three characters as a number: one byte for each. Of any other text -1. */
export function currencyCode(currency: string): number {
  const [a, b, c] = [currency.charCodeAt(0), currency.charCodeAt(1), currency.charCodeAt(2)];
  if (currency.length !== 3 || (a | b | c) > 0x7f) return -1;
  return (a << 16) | (b << 8) | c;
}

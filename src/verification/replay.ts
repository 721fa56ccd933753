import { type Entry, type Posting, postingsIn, type StoredBlock } from '../ledger/types.ts';
import { BlockColumns, ENTRY } from './block-columns.ts';
import type { BreakFound, BreakList } from './breaks.ts';
import { unbalanced } from './entry-shape.ts';
import { type Before, LifeCycleReplay } from './life-cycle.ts';
import { reportLinks, sameBytes } from './link-report.ts';
import type { AuditedBlock, RawBlock, UnreadableBlock } from './ports.ts';
import { isBalance, type ReplayTable } from './replay-table.ts';
import type { SettlementTable } from './settlement-table.ts';
import { reportShape } from './shape-report.ts';
import type { SystemAccounts } from './system-accounts.ts';

const GENESIS: Uint8Array = new Uint8Array(32);

interface Balances {
  readonly posted: bigint;
  readonly held: bigint;
}

interface ReplayOptions {
  readonly book: number;
  readonly table: ReplayTable;
  readonly breaks: BreakList;
  readonly system: SystemAccounts;
  /** Of all books. */
  readonly settlements: SettlementTable;
  /** Up to which height all balances that are kept with accounts are complete. */
  readonly snapshotsUpTo: number;
  /** The height that it begins above, and the block there; null: it cannot be gone on from. Absent: at the very first. */
  readonly above?: { readonly height: number; readonly block: StoredBlock | null };
}

/**
 * Replays one book, block by block, and reports where the journal does not follow from itself. Pure but for the
 * balances in the table and the list of breaks.
 *
 * One fault should be one break. So after a wrong running balance the replay goes on from whichever of the two
 * balances the next posting continues; and after a gap each account takes the next balance it meets.
 */
export class BookReplay {
  #height = 0;
  #hash: Uint8Array | null = GENESIS;
  #recomputedHash: Uint8Array | null = GENESIS;
  #at = 0;
  #term = 0;
  /** Postings in all blocks so far; null after a gap. */
  #postingsBelow: number | null = 0;
  /** Counts gaps: an account last replayed in an earlier stretch has no balance to continue from. */
  #stretch = 0;
  /** Stored balances that contradicted the replay, by slot. */
  readonly #contradictions = new Map<number, Balances>();
  readonly #lifeCycle: LifeCycleReplay;
  /** The account on which the entry at hand holds more, or less; undefined: none. */
  #heldOn: string | undefined;
  /** How much more; null: nobody can tell, so that what its posting says is taken. */
  #heldMore: bigint | null = null;
  readonly #columns = new BlockColumns();
  /** Was the last block taken in by its columns? */
  #isByColumns = false;
  readonly #stretchHere: { readonly book: number; stretch: number };
  /** Of the block at hand: what its entries were decided on that settle or change something, by their index. */
  readonly before = new Map<number, Before>();
  blocks = 0;
  entries = 0;
  postings = 0;

  readonly book: number;
  readonly table: ReplayTable;
  readonly breaks: BreakList;
  readonly system: SystemAccounts;
  readonly snapshotsUpTo: number;

  constructor({ book, table, breaks, system, settlements, snapshotsUpTo, above }: ReplayOptions) {
    this.book = book;
    this.#stretchHere = { book, stretch: 0 };
    this.table = table;
    this.breaks = breaks;
    this.system = system;
    this.snapshotsUpTo = snapshotsUpTo;
    this.#lifeCycle = new LifeCycleReplay(book, table, settlements, breaks);
    if (above === undefined) return;
    const { height, block } = above;
    if (block !== null) {
      this.#standAt(block, block.hash, block.postingsBelow + postingsIn(block));
      return;
    }
    this.#height = height;
    this.#hash = null;
    this.#postingsBelow = null;
  }

  /** Was nothing missing so far? */
  get isComplete(): boolean {
    return this.#stretch === 0;
  }
  get height(): number {
    return this.#height;
  }
  /** Stored hash of the last block; null when it could not be read. */
  get hash(): Uint8Array | null {
    return this.#hash;
  }

  /**
   * Takes in the next block of the journal. What is ordinary and in order is judged by its columns; of all else, and so
   * of whatever may be a break, there is one judge: the code that looks at it decoded.
   */
  take(raw: RawBlock): void {
    this.blocks++;
    this.before.clear();
    const columns = this.#columns;
    this.#isByColumns = raw.scan(columns, this.table) && this.#isLinked(columns);
    if (this.#isByColumns) this.#takeColumns(columns, raw);
    else this.#takeDecoded(raw.audited());
  }

  /** The block that was taken in last cannot be decoded, so that its entries cannot be compared with anything. */
  cannotDecode({ unreadable }: UnreadableBlock): void {
    // Otherwise that was reported when it was taken in.
    if (this.#isByColumns) this.#reportUnreadable(this.#height, unreadable);
  }

  #reportUnreadable(height: number, why: string): void {
    this.#broken(height, { kind: 'unreadable_block', message: `the block cannot be read: ${why}` });
  }

  /** Does a block whose bytes are right follow from the one below it? */
  #isLinked({ height, prev, at, term, kind, entries, postingsBelow, book }: BlockColumns): boolean {
    if (book !== this.book || height !== this.#height + 1 || at < this.#at || term < this.#term) return false;
    if (this.#hash !== null && !sameBytes(prev, this.#hash) && !sameBytes(prev, this.#recomputedHash)) return false;
    if (this.#postingsBelow !== null && postingsBelow !== this.#postingsBelow) return false;
    return kind === 'entries' || entries === 0;
  }

  #takeColumns(columns: BlockColumns, raw: RawBlock): void {
    this.#standAt(columns, columns.hash, columns.postingsBelow + columns.postingsInAll);
    this.#stretchHere.stretch = this.#stretch;
    const { what, ends, others, entries, height } = columns;
    let decoded: AuditedBlock | UnreadableBlock | null = null;
    let from = 0;
    for (let i = 0; i < entries; i++) {
      const to = ends[i]!;
      const isDone = what[i] === ENTRY.ordinary ? this.#takeOrdinary(columns, from, to) : what[i] === ENTRY.rejected;
      from = to;
      if (isDone) {
        this.entries++;
        continue;
      }
      const other = others.get(i);
      if (other !== undefined) {
        this.#takeAny(i, height, other);
        continue;
      }
      decoded ??= raw.audited();
      // That is reported once its entries are to be compared.
      if ('unreadable' in decoded) return;
      this.#takeAny(i, height, decoded.block.entries[i]!);
    }
  }

  /** Takes in the postings of an ordinary entry, when all of it is in order; else changes nothing and answers false. */
  #takeOrdinary(columns: BlockColumns, from: number, to: number): boolean {
    const { slot, amount, posted, currency, height } = columns;
    const { table } = this;
    let sum = 0;
    for (let i = from; i < to; i++) {
      if (!table.isInOrder(slot[i]!, this.#stretchHere, columns, i) || currency[i] !== currency[from]) return false;
      sum += amount[i]!;
      if (Math.abs(sum) > Number.MAX_SAFE_INTEGER) return false;
      for (let j = from; j < i; j++) if (slot[j] === slot[i]) return false;
    }
    if (sum !== 0) return false;
    for (let i = from; i < to; i++) {
      table.checkSnapshotBefore(height, this.snapshotsUpTo, slot[i]!, this.breaks);
      table.setPosted(slot[i]!, posted[i]!);
    }
    this.postings += to - from;
    return true;
  }

  #standAt(
    { height, at, term }: Pick<BlockColumns, 'height' | 'at' | 'term'>,
    hash: Uint8Array,
    postings: number,
  ): void {
    this.#height = height;
    this.#hash = hash;
    this.#recomputedHash = hash;
    this.#at = at;
    this.#term = term;
    this.#postingsBelow = postings;
  }

  #takeDecoded(audited: AuditedBlock | UnreadableBlock): void {
    if ('unreadable' in audited) {
      const height = audited.height ?? this.#height + 1;
      if (this.#follow(height)) this.#lost(height);
      this.#reportUnreadable(height, audited.unreadable);
      return;
    }
    const { block, recomputedHash } = audited;
    if (!this.#follow(block.height)) return;
    const below = {
      hash: this.#hash,
      recomputedHash: this.#recomputedHash,
      at: this.#at,
      term: this.#term,
      postingsBelow: this.#postingsBelow,
    };
    reportLinks(audited, below, (found) => this.#broken(block.height, found));
    this.#standAt(block, block.hash, block.postingsBelow + postingsIn(block));
    this.#recomputedHash = recomputedHash;
    const { entries, height } = block;
    for (let i = 0; i < entries.length; i++) this.#takeAny(i, height, entries[i]!);
  }

  #takeAny(index: number, height: number, entry: Entry): void {
    if (entry.settlement !== undefined || entry.changed !== undefined) this.#takeLifeCycle(index, entry);
    this.#takeEntry(height, entry);
    this.#heldOn = undefined;
  }

  /** The journal ended: does it reach the tip it was said to have? */
  finish(tip: number): void {
    if (this.#height >= tip) return;
    this.#gap(this.#height + 1, tip);
    this.#stretch++;
  }

  /** Is this the height that comes next? Reports it when not; false: not a height to go on with. */
  #follow(height: number): boolean {
    if (height === this.#height + 1) return true;
    if (height <= this.#height) {
      const message = `height ${height} comes after height ${this.#height}`;
      this.#broken(height, { kind: 'height_gap', expected: String(this.#height + 1), actual: String(height), message });
      return false;
    }
    this.#gap(this.#height + 1, height - 1);
    this.#lost(height - 1);
    return true;
  }

  #gap(from: number, to: number): void {
    const message = from === to ? `block ${from} is missing` : `blocks ${from} to ${to} are missing`;
    this.#broken(from, { kind: 'height_gap', expected: `block ${from}`, actual: 'nothing', message });
  }

  #lost(height: number): void {
    this.#height = height;
    this.#hash = null;
    this.#recomputedHash = null;
    this.#postingsBelow = null;
    this.#stretch++;
    this.#contradictions.clear();
  }

  #takeLifeCycle(index: number, entry: Entry): void {
    // That a rejection does nothing is told by its shape.
    if (entry.rejection !== undefined || entry.kind === 'rejected') return;
    const place = { height: this.#height, at: this.#at, stretch: this.#stretch };
    let before: Before = {};
    if (entry.settlement !== undefined) {
      const settled = this.#lifeCycle.settle(entry, place);
      before = settled.before;
      this.#heldOn = settled.held?.account;
      this.#heldMore = settled.held?.more ?? null;
    }
    if (entry.changed !== undefined) before = { ...before, ...this.#lifeCycle.change(entry, place) };
    this.before.set(index, before);
  }

  #takeEntry(height: number, entry: Entry): void {
    this.entries++;
    reportShape(this.book, entry, this.#heldOn, (found) => this.#broken(height, found));
    if (entry.postings.length === 0) return;
    this.#checkBalanced(height, entry);
    for (const posting of entry.postings) this.#takePosting(height, entry, posting);
    this.postings += entry.postings.length;
  }

  #checkBalanced(height: number, entry: Entry): void {
    for (const [currency, sum] of unbalanced(entry.postings)) {
      const message = `the postings of entry ${entry.id} sum to ${sum} ${currency}, not to zero`;
      const actual = `${sum} ${currency}`;
      this.#broken(height, { kind: 'unbalanced_entry', entry: entry.id, expected: `0 ${currency}`, actual, message });
    }
  }

  #takePosting(height: number, entry: Entry, posting: Posting): void {
    const { account, currency } = posting;
    const { table } = this;
    const slot = table.find(account);
    if (slot < 0) {
      const message = `entry ${entry.id} posts to account ${account}, which does not exist`;
      this.#broken(height, { kind: 'unknown_account', entry: entry.id, account, message });
      return;
    }
    if (table.book(slot) !== this.book) {
      const message = `entry ${entry.id} posts in book ${this.book} to account ${account} of book ${table.book(slot)}`;
      const [expected, actual] = [String(table.book(slot)), String(this.book)];
      this.#broken(height, { kind: 'wrong_book', entry: entry.id, account, expected, actual, message });
      return;
    }
    if (table.currency(slot) !== currency) {
      const message = `entry ${entry.id} posts ${currency} to account ${account}, which holds ${table.currency(slot)}`;
      const expected = table.currency(slot);
      this.#broken(height, { kind: 'wrong_currency', entry: entry.id, account, expected, actual: currency, message });
    }
    table.checkSnapshotBefore(height, this.snapshotsUpTo, slot, this.breaks);
    const more = this.#heldOn !== undefined && account === this.#heldOn ? this.#moreHeld(slot, posting) : 0n;
    const takes = posting.amount < 0n || more > 0n;
    if (!table.isOrdinary(slot)) this.#takeUnordinary(height, entry, posting, slot, takes);
    this.#replay(height, entry, posting, slot, more);
    if (takes || posting.amount > 0n) this.#checkLimits(height, entry, posting, slot, takes);
  }

  /** How much more is held after a posting on the account that its entry settles something of. */
  #moreHeld(slot: number, { held }: Posting): bigint {
    if (this.#heldMore !== null) return this.#heldMore;
    return this.table.stretch(slot) === this.#stretch ? held - this.table.held(slot) : 0n;
  }

  /** On an account of the ledger itself, or one that is frozen or closed. `takes`: less is available after it. */
  #takeUnordinary(height: number, entry: Entry, posting: Posting, slot: number, takes: boolean): void {
    if (this.table.isSystem(slot)) this.system.take(this.book, height, entry, posting);
    const status = this.table.status(slot);
    if (status === 'open' || (status === 'frozen' && !takes)) return;
    const { account } = posting;
    const what = takes ? 'takes from' : 'posts to';
    const message = `entry ${entry.id} ${what} account ${account}, which is ${status}`;
    this.#broken(height, { kind: 'account_not_open', entry: entry.id, account, actual: status, message });
  }

  /** `more`: how much more is to be held after it. */
  #replay(height: number, entry: Entry, posting: Posting, slot: number, more: bigint): void {
    const { table } = this;
    if (table.stretch(slot) !== this.#stretch) {
      table.set(slot, posting.posted, posting.held, this.#stretch);
      return;
    }
    const posted = table.posted(slot) + posting.amount;
    const held = table.held(slot) + more;
    if (posting.posted === posted && posting.held === held) {
      table.set(slot, posted, held, this.#stretch);
      return;
    }
    const other = this.#contradictions.get(slot);
    if (other !== undefined && posting.posted === other.posted + posting.amount && posting.held === other.held + more) {
      this.#contradictions.delete(slot);
      table.set(slot, posting.posted, posting.held, this.#stretch);
      return;
    }
    const { account } = posting;
    this.#broken(height, {
      kind: 'wrong_running_balance',
      entry: entry.id,
      account,
      expected: `posted ${posted}, held ${held}`,
      actual: `posted ${posting.posted}, held ${posting.held}`,
      message: `the balance of account ${account} after entry ${entry.id} does not follow from the one before`,
    });
    this.#contradictions.set(slot, posting);
    const isStorable = isBalance(posted) && isBalance(held);
    table.set(slot, isStorable ? posted : posting.posted, isStorable ? held : posting.held, this.#stretch);
  }

  #checkLimits(height: number, entry: Entry, { account, posted, held }: Posting, slot: number, takes: boolean): void {
    const limit = takes ? this.table.min(slot) : this.table.max(slot);
    if (limit === null) return;
    const balance = takes ? posted - held : posted;
    if (takes ? balance >= limit : balance <= limit) return;
    this.#broken(height, {
      kind: 'limit_exceeded',
      entry: entry.id,
      account,
      expected: `${takes ? 'at least' : 'at most'} ${limit}`,
      actual: String(balance),
      message: `entry ${entry.id} leaves account ${account} at ${balance}, beyond its limit of ${limit}`,
    });
  }

  #broken(height: number, found: BreakFound): void {
    this.breaks.add({ ...found, book: this.book, height });
  }
}

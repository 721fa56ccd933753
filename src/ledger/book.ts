import type { AccountTable } from './account-table.ts';
import type { EncodedBlock } from './ports.ts';
import type { Part } from './progress.ts';
import type { Task } from './task.ts';
import {
  type Block,
  type BlockKind,
  type Entry,
  type Leg,
  type Posting,
  postingsIn,
  type RejectionReason,
  type StoredBlock,
} from './types.ts';

const BALANCE_MAX = 2n ** 63n - 1n;
const GENESIS: Uint8Array = new Uint8Array(32);

/** The journal does not continue where this process saw it end. Nothing can be decided on it any more. */
export class IntegrityError extends Error {
  override readonly name = 'IntegrityError';
}

/**
 * One book as this process sees it: its tip, and the rules by which a command becomes an entry.
 *
 * Blocks are built on the tip *optimistically*: `build` changes the balances in memory at once and moves the tip, so
 * that several blocks can be built before the first is appended. A block that did not land is taken back by
 * `rollback` in the reverse order of building; what stands in the journal instead is taken in by `apply`.
 */
export class Book {
  #height = 0;
  #hash: Uint8Array = GENESIS;
  #term = 0;
  #at = 0;
  #postings = 0;
  readonly #undo: Undo[] = [];

  constructor(
    readonly number: number,
    readonly accounts: AccountTable,
  ) {}

  get height(): number {
    return this.#height;
  }
  get term(): number {
    return this.#term;
  }
  get hash(): Uint8Array {
    return this.#hash;
  }

  /** Starts from the highest block of the journal; null: the book is empty. */
  openAt(tip: StoredBlock | null): void {
    if (tip !== null) this.#moveTo(tip, tip.hash);
  }

  /** An empty block on the tip. A term block begins a new term. */
  emptyBlock(kind: Exclude<BlockKind, 'entries'>, now: number): Block {
    return this.#block(kind, now, []);
  }

  /** Decides the parts in order and makes the block that says so. Their accounts must be loaded. */
  decide(works: readonly Work[], now: number): Block {
    const undo: Undo = {
      slots: [],
      posted: [],
      height: this.#height,
      hash: this.#hash,
      term: this.#term,
      at: this.#at,
      postings: this.#postings,
    };
    this.#undo.push(undo);
    const entries: Entry[] = [];
    for (const work of works) entries.push(this.#decideOne(work, undo));
    return this.#block('entries', now, entries);
  }

  /** Moves the tip onto a block that was decided here, before it is known to have landed. */
  buildOn(encoded: EncodedBlock): void {
    this.#moveTo(encoded.block, encoded.hash);
  }

  /** The oldest block that was built here has landed: there is nothing to take back of it. */
  landed(): void {
    this.#undo.shift();
  }

  /** Takes back every block that was built and has not landed. */
  rollback(): void {
    for (let undo = this.#undo.pop(); undo !== undefined; undo = this.#undo.pop()) {
      for (let i = undo.slots.length - 1; i >= 0; i--) {
        const slot = undo.slots[i]!;
        this.accounts.set(slot, undo.posted[i]!, this.accounts.held(slot));
      }
      this.#height = undo.height;
      this.#hash = undo.hash;
      this.#term = undo.term;
      this.#at = undo.at;
      this.#postings = undo.postings;
    }
  }

  /** Takes in the next block of the journal, whoever wrote it. @throws IntegrityError when it does not fit. */
  apply(block: StoredBlock): void {
    if (this.#undo.length > 0)
      throw new IntegrityError(`book ${this.number} has blocks that are neither landed nor lost`);
    if (block.book !== this.number || block.height !== this.#height + 1) {
      throw new IntegrityError(`book ${this.number} ends at ${this.#height}, and cannot go on with ${block.height}`);
    }
    if (Buffer.compare(block.prev, this.#hash) !== 0) {
      throw new IntegrityError(`block ${block.height} of book ${this.number} does not follow from the one below it`);
    }
    for (const entry of block.entries) {
      for (const posting of entry.postings) {
        const slot = this.accounts.find(posting.account);
        if (slot >= 0) this.accounts.set(slot, posting.posted, posting.held);
      }
    }
    this.#moveTo(block, block.hash);
  }

  #moveTo(block: Block, hash: Uint8Array): void {
    this.#height = block.height;
    this.#hash = hash;
    this.#term = block.term;
    this.#at = block.at;
    this.#postings = block.postingsBelow + postingsIn(block);
  }

  #block(kind: BlockKind, now: number, entries: readonly Entry[]): Block {
    return {
      book: this.number,
      height: this.#height + 1,
      prev: this.#hash,
      term: kind === 'term' ? this.#term + 1 : this.#term,
      at: Math.max(now, this.#at),
      kind,
      postingsBelow: this.#postings,
      entries,
    };
  }

  #decideOne({ task, part }: Work, undo: Undo): Entry {
    const { id, key, kind, legs, details } = task.command;
    const isFinal = part.suspense.length > 0;
    if (!isFinal) {
      const reason = task.expired && !task.progress?.hasBegun ? 'expired' : this.#refusal(part);
      if (reason !== null) {
        const rejection = { reason, kind, legs };
        return { id, key, kind: 'rejected', ...spanOf(part), postings: [], rejection, details };
      }
    }
    const postings: Posting[] = [];
    for (let i = 0; i < part.legs.length; i++) {
      const leg = part.legs[i]!;
      const fits = !isFinal || this.#refusalOf(leg, part.slots[i]!) === null;
      const slot = fits ? part.slots[i]! : part.suspense[i]!;
      // Of its own account the leg has the id at hand.
      postings.push(this.#post(slot, fits ? leg.account : this.accounts.id(slot), leg, undo));
    }
    // Most stay within one book: nothing is copied for them.
    return part.span ? { id, key, kind, span: part.span, postings, details } : { id, key, kind, postings, details };
  }

  #post(slot: number, account: string, { amount, currency }: Leg, undo: Undo): Posting {
    const before = this.accounts.posted(slot);
    const held = this.accounts.held(slot);
    const posted = before + amount;
    undo.slots.push(slot);
    undo.posted.push(before);
    this.accounts.set(slot, posted, held);
    return { account, amount, currency, posted, held };
  }

  #refusal({ legs, slots }: Part): RejectionReason | null {
    for (let i = 0; i < legs.length; i++) {
      const reason = this.#refusalOf(legs[i]!, slots[i]!);
      if (reason !== null) return reason;
    }
    return null;
  }

  #refusalOf({ amount }: Leg, slot: number): RejectionReason | null {
    const posted = this.accounts.posted(slot) + amount;
    const { min, max } = this.accounts.limits(slot);
    if (amount < 0n) {
      if (min !== null && posted - this.accounts.held(slot) < min) return 'insufficient_funds';
      return posted < -BALANCE_MAX ? 'balance_limit_exceeded' : null;
    }
    return posted > BALANCE_MAX || (max !== null && posted > max) ? 'balance_limit_exceeded' : null;
  }
}

function spanOf({ span }: Part): Pick<Entry, 'span'> {
  return span ? { span } : {};
}

/** A part of a command, to be decided. */
export interface Work {
  readonly task: Task;
  readonly part: Part;
}

interface Undo {
  readonly slots: number[];
  readonly posted: bigint[];
  readonly height: number;
  readonly hash: Uint8Array;
  readonly term: number;
  readonly at: number;
  readonly postings: number;
}

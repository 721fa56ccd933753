import type { AccountTable } from './account-table.ts';
import type { EncodedBlock } from './ports.ts';
import { isFinalPart, type Part } from './progress.ts';
import { changeAccount, settle, settlementAtFirst, unsettle } from './settlement.ts';
import { Settlements } from './settlements.ts';
import type { Task } from './task.ts';
import {
  type AccountState,
  type Block,
  type BlockKind,
  type ChangedAccount,
  type Entry,
  type Leg,
  type Posting,
  postingsIn,
  type RejectionReason,
  type Settlement,
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
  readonly settlements = new Settlements();

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

  /**
   * Decides the parts in order and makes the block that says so. Their accounts must be loaded, and how the commands are
   * settled that they follow must be known.
   */
  decide(works: readonly Work[], now: number): Block {
    const undo: Undo = {
      slots: [],
      posted: [],
      held: [],
      settlements: [],
      states: [],
      height: this.#height,
      hash: this.#hash,
      term: this.#term,
      at: this.#at,
      postings: this.#postings,
    };
    this.#undo.push(undo);
    const at = this.#timeOf(now);
    const entries: Entry[] = [];
    for (const work of works) entries.push(this.#decideOne(work, undo, at));
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
        this.accounts.set(slot, undo.posted[i]!, undo.held[i]!);
      }
      for (const [slot, state] of undo.states.reverse()) this.accounts.setState(slot, state);
      for (const [id, settlement] of undo.settlements.reverse()) this.settlements.set(id, settlement);
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
    for (const { postings, settlement, changed } of block.entries) {
      for (const posting of postings) {
        const slot = this.accounts.find(posting.account);
        if (slot >= 0) this.accounts.set(slot, posting.posted, posting.held);
      }
      if (settlement && this.settlements.isKnown(settlement.id)) this.settlements.set(settlement.id, settlement);
      const slot = changed ? this.accounts.find(changed.account) : -1;
      if (slot >= 0) this.accounts.setState(slot, changed!);
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
      at: this.#timeOf(now),
      kind,
      postingsBelow: this.#postings,
      entries,
    };
  }

  /** Block times never go backwards. */
  #timeOf(now: number): number {
    return Math.max(now, this.#at);
  }

  #decideOne(work: Work, undo: Undo, at: number): Entry {
    const { task, part } = work;
    const { id, key, kind, hold, legs, details } = task.command;
    const isFinal = isFinalPart(part);
    const effect = part.decides ? this.#effectOf(work, at, isFinal) : NO_EFFECT;
    if (!isFinal) {
      const reason = this.#refusal(work, effect);
      if (reason !== null) return rejected(work, reason);
    }
    const { settlement, changed, heldMore } = effect as Effect;
    const postings: Posting[] = [];
    let isHeldTold = heldMore === 0n;
    for (let i = 0; i < part.legs.length; i++) {
      const leg = part.legs[i]!;
      const fits = !isFinal || this.#refusalOf(leg, part.slots[i]!) === null;
      const slot = fits ? part.slots[i]! : part.suspense[i]!;
      const isHolder = slot === part.subject;
      if (isHolder) isHeldTold = true;
      // Of its own account the leg has the id at hand.
      const account = fits ? leg.account : this.accounts.id(slot);
      postings.push(this.#post(slot, account, leg, isHolder ? heldMore : 0n, undo));
    }
    if (!isHeldTold) {
      const [slot, account] = [part.subject, this.accounts.id(part.subject)];
      const nothing = { account, amount: 0n, currency: this.accounts.currency(slot) };
      postings.push(this.#post(slot, account, nothing, heldMore, undo));
    }
    // Most stay within one book and settle nothing else: nothing is copied for them.
    if (!part.decides) {
      return part.span ? { id, key, kind, span: part.span, postings, details } : { id, key, kind, postings, details };
    }
    this.#take(part, effect as Effect, undo);
    return {
      id,
      key,
      kind,
      ...spanOf(part),
      postings,
      ...(hold ? { legs } : {}),
      ...(settlement ? { settlement } : {}),
      ...(changed ? { changed } : {}),
      details,
    };
  }

  #effectOf({ task, part }: Work, at: number, isFinal: boolean): Effect | RejectionReason {
    const { command } = task;
    const { change } = command;
    if (change) {
      const slot = part.subject;
      const holdings = { posted: this.accounts.posted(slot), held: this.accounts.held(slot) };
      const state = changeAccount(change, this.accounts.state(slot), holdings);
      return typeof state === 'string' ? state : { heldMore: 0n, changed: { account: change.account, ...state } };
    }
    const first = settlementAtFirst(command)!;
    const before = this.settlements.get(first.id) ?? first;
    const settlement = isFinal ? unsettle(command, before) : settle(command, before, at);
    return typeof settlement === 'string' ? settlement : { heldMore: settlement.held - before.held, settlement };
  }

  #take({ subject }: Part, { settlement, changed }: Effect, undo: Undo): void {
    if (settlement) {
      undo.settlements.push([settlement.id, this.settlements.get(settlement.id)]);
      this.settlements.set(settlement.id, settlement);
    }
    if (changed) {
      undo.states.push([subject, this.accounts.state(subject)]);
      this.accounts.setState(subject, changed);
    }
  }

  #post(slot: number, account: string, { amount, currency }: Leg, heldMore: bigint, undo: Undo): Posting {
    const before = this.accounts.posted(slot);
    const heldBefore = this.accounts.held(slot);
    const posted = before + amount;
    const held = heldBefore + heldMore;
    undo.slots.push(slot);
    undo.posted.push(before);
    undo.held.push(heldBefore);
    this.accounts.set(slot, posted, held);
    return { account, amount, currency, posted, held };
  }

  #refusal({ task, part }: Work, effect: Effect | RejectionReason): RejectionReason | null {
    if (task.expired && !task.progress?.hasBegun) return 'expired';
    if (typeof effect === 'string') return effect;
    const { legs, slots, subject, payees } = part;
    const { heldMore } = effect;
    if (heldMore > 0n) {
      const reason = this.#refusalOf(HOLD, subject, heldMore);
      if (reason !== null) return reason;
    }
    for (let i = 0; i < legs.length; i++) {
      const reason = this.#refusalOf(legs[i]!, slots[i]!, slots[i] === subject ? heldMore : 0n);
      if (reason !== null) return reason;
    }
    // What is closed stays so. Where that is known it is better to reject than to credit suspense later.
    for (const slot of payees) if (this.accounts.status(slot) === 'closed') return 'account_closed';
    return null;
  }

  /** `heldMore`: how much more is held on the account then; less than nothing when some is released. */
  #refusalOf({ amount }: Pick<Leg, 'amount'>, slot: number, heldMore = 0n): RejectionReason | null {
    const status = this.accounts.status(slot);
    if (status === 'closed') return 'account_closed';
    const posted = this.accounts.posted(slot) + amount;
    const { min, max } = this.accounts.limits(slot);
    if (amount < 0n || heldMore > 0n) {
      if (status === 'frozen') return 'account_frozen';
      if (min !== null && posted - this.accounts.held(slot) - heldMore < min) return 'insufficient_funds';
      return posted < -BALANCE_MAX ? 'balance_limit_exceeded' : null;
    }
    return posted > BALANCE_MAX || (max !== null && posted > max) ? 'balance_limit_exceeded' : null;
  }
}

function rejected({ task, part }: Work, reason: RejectionReason): Entry {
  const { id, key, kind, hold, legs, follows, details } = task.command;
  const isHome = part.span !== undefined && part.decides;
  const followed = follows && { follows: follows.origin.id, ...(isHome ? { home: true as const } : {}) };
  const rejection = { reason, kind, legs, ...followed };
  return { id, key, kind: 'rejected', ...spanOf(part), postings: [], rejection, ...(hold ? { legs } : {}), details };
}

function spanOf({ span }: Part): Pick<Entry, 'span'> {
  return span ? { span } : {};
}

/** A part of a command, to be decided. */
export interface Work {
  readonly task: Task;
  readonly part: Part;
}

/** What a part does beside its postings. */
interface Effect {
  /** How much more is held on the account that the part is about. */
  readonly heldMore: bigint;
  readonly settlement?: Settlement;
  readonly changed?: ChangedAccount;
}

const NO_EFFECT: Effect = { heldMore: 0n };
const HOLD = { amount: 0n };

interface Undo {
  readonly slots: number[];
  readonly posted: bigint[];
  readonly held: bigint[];
  readonly settlements: [id: string, before: Settlement | null | undefined][];
  readonly states: [slot: number, before: AccountState][];
  readonly height: number;
  readonly hash: Uint8Array;
  readonly term: number;
  readonly at: number;
  readonly postings: number;
}

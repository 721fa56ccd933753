import { widened } from '../ledger/columns.ts';
import { isSystemAccount } from '../ledger/crossing.ts';
import type { AccountState, AccountTip } from '../ledger/types.ts';
import type { TrialBalanceRow } from '../payments/types.ts';
import { AccountIndex } from './account-index.ts';
import { AccountRows, NARROW_FIELD, WIDE_FIELD } from './account-rows.ts';
import { type BlockColumns, currencyCode } from './block-columns.ts';
import type { BreakList } from './breaks.ts';
import type { AuditedAccount } from './ports.ts';

const SLOTS_AT_FIRST = 1024;
const HAS_MIN = 1;
const HAS_MAX = 2;
const IS_SYSTEM = 4;
const SNAPSHOT_COMPARED = 8;
const SNAPSHOT_BEHIND = 16;
const IS_FROZEN = 32;
const IS_CLOSED = 64;
const IS_UNANNOUNCED = 128;
const BALANCE_MIN = -(2n ** 63n);
const BALANCE_MAX = 2n ** 63n - 1n;
/** The snapshot height of an account that has none. */
const NO_SNAPSHOT = -1;

/** A stretch of unbroken journal of a book. */
export interface BookStretch {
  readonly book: number;
  readonly stretch: number;
}

/**
 * Every account with its replayed balance, as columns: some 140 bytes an account, whatever the number of postings.
 *
 * Deliberately another one than the engine's: a check that shares code with what it checks shares its faults.
 */
export class ReplayTable {
  readonly #accounts = new AccountIndex();
  readonly #currencies: string[] = [];
  /** By currency: its {@link currencyCode}. */
  readonly #currencyCodes: number[] = [];
  readonly #currencyNumbers = new Map<string, number>();
  readonly #rows = new AccountRows();
  #snapshotPosted = new BigInt64Array(SLOTS_AT_FIRST);
  #snapshotHeld = new BigInt64Array(SLOTS_AT_FIRST);
  /** By slot: what was not zero when all that is replayed began. */
  readonly #postedBefore = new Map<number, bigint>();
  readonly #heldBefore = new Map<number, bigint>();

  get size(): number {
    return this.#accounts.size;
  }

  add(account: AuditedAccount): void {
    if (this.find(account.id) >= 0) return;
    const slot = this.#accounts.add(account.id);
    this.#rows.reach(slot);
    if (slot === this.#snapshotPosted.length) this.#widen();
    this.#rows.setNarrow(slot, 'book', account.book);
    this.#rows.setNarrow(slot, 'currency', this.#currencyNumber(account.currency));
    this.#setLimits(slot, account);
    if (account.isAnnounced === false) this.#mark(slot, IS_UNANNOUNCED);
    if (isSystemAccount(account.id)) this.#mark(slot, IS_SYSTEM);
    this.#rows.setSnapshotHeight(slot, account.snapshot?.height ?? NO_SNAPSHOT);
    this.#snapshotPosted[slot] = account.snapshot?.posted ?? 0n;
    this.#snapshotHeld[slot] = account.snapshot?.held ?? 0n;
  }

  /** The slot of an account, or -1. */
  find(id: string): number {
    return this.#accounts.find(id);
  }
  /** As of {@link AccountNumbers}. */
  findBytes(bytes: Uint8Array, start: number, end: number, hash: number): number {
    return this.#accounts.findBytes(bytes, start, end, hash);
  }
  book(slot: number): number {
    return this.#rows.narrow(slot, NARROW_FIELD.book) >>> 0;
  }
  currency(slot: number): string {
    return this.#currencies[this.#rows.narrow(slot, NARROW_FIELD.currency)]!;
  }
  posted(slot: number): bigint {
    return this.#rows.wide(slot, 'posted');
  }
  held(slot: number): bigint {
    return this.#rows.wide(slot, 'held');
  }
  min(slot: number): bigint | null {
    return this.#flags(slot) & HAS_MIN ? this.#rows.wide(slot, 'min') : null;
  }
  max(slot: number): bigint | null {
    return this.#flags(slot) & HAS_MAX ? this.#rows.wide(slot, 'max') : null;
  }
  /** Is it an account of the ledger itself? */
  isSystem(slot: number): boolean {
    return (this.#flags(slot) & IS_SYSTEM) !== 0;
  }
  /** Does its document say that there are no changes of it? */
  isUnannounced(slot: number): boolean {
    return (this.#flags(slot) & IS_UNANNOUNCED) !== 0;
  }
  /** An open account of a user, as nearly all are. */
  isOrdinary(slot: number): boolean {
    return (this.#flags(slot) & (IS_SYSTEM | IS_FROZEN | IS_CLOSED)) === 0;
  }
  status(slot: number): AccountState['status'] {
    const flags = this.#flags(slot);
    if (flags & IS_CLOSED) return 'closed';
    return flags & IS_FROZEN ? 'frozen' : 'open';
  }
  state(slot: number): AccountState {
    return { status: this.status(slot), minBalance: this.min(slot), maxBalance: this.max(slot) };
  }
  stretch(slot: number): number {
    return this.#rows.narrow(slot, NARROW_FIELD.stretch);
  }

  /**
   * Sets how an account was when all that is replayed began, by its last posting and change up to there; and looks at its
   * snapshot, which may be older than that only where snapshots are not complete.
   */
  begin(slot: number, { posted, held, height, state }: AccountTip, completeUpTo: number, breaks: BreakList): void {
    this.set(slot, posted, held, 0);
    if (state !== undefined) this.setState(slot, state);
    if (posted !== 0n) this.#postedBefore.set(slot, posted);
    if (held !== 0n) this.#heldBefore.set(slot, held);
    if (height === 0 || this.#rows.snapshotHeight(slot) >= height) return;
    // Nobody knows what it was to be then.
    this.#mark(slot, SNAPSHOT_COMPARED);
    this.checkSnapshotBefore(height, completeUpTo, slot, breaks);
  }

  setState(slot: number, state: AccountState): void {
    this.#unmark(slot, IS_FROZEN | IS_CLOSED);
    if (state.status === 'closed') this.#mark(slot, IS_CLOSED);
    if (state.status === 'frozen') this.#mark(slot, IS_FROZEN);
    this.#setLimits(slot, state);
  }

  #setLimits(slot: number, { minBalance, maxBalance }: Pick<AccountState, 'minBalance' | 'maxBalance'>): void {
    this.#unmark(slot, HAS_MIN | HAS_MAX);
    if (minBalance !== null) {
      this.#mark(slot, HAS_MIN);
      this.#rows.setWide(slot, 'min', minBalance);
    }
    if (maxBalance !== null) {
      this.#mark(slot, HAS_MAX);
      this.#rows.setWide(slot, 'max', maxBalance);
    }
  }

  set(slot: number, posted: bigint, held: bigint, stretch: number): void {
    this.#rows.setWide(slot, 'posted', posted);
    this.#rows.setWide(slot, 'held', held);
    this.#rows.setNarrow(slot, 'stretch', stretch);
  }

  /**
   * Is a posting of an amount other than zero, which holds and releases nothing, in order: on an open account of a user
   * in this book and currency, its balances follow from those before, and they are within its limits? False also where
   * numbers cannot tell. Changes nothing.
   */
  isInOrder(
    slot: number,
    { book, stretch }: BookStretch,
    { currency, amount, posted, held }: BlockColumns,
    at: number,
  ) {
    const rows = this.#rows;
    const [more, after, stillHeld] = [amount[at]!, posted[at]!, held[at]!];
    if (
      rows.narrow(slot, NARROW_FIELD.book) !== book ||
      rows.narrow(slot, NARROW_FIELD.stretch) !== stretch ||
      this.#currencyCodes[rows.narrow(slot, NARROW_FIELD.currency)] !== currency[at] ||
      more === 0
    )
      return false;
    const flags = this.#flags(slot);
    if ((flags & (IS_SYSTEM | IS_FROZEN | IS_CLOSED)) !== 0) return false;
    // NaN is equal to nothing, and neither more nor less.
    if (rows.number(slot, WIDE_FIELD.posted) + more !== after) return false;
    if (rows.number(slot, WIDE_FIELD.held) !== stillHeld) return false;
    if (more < 0) return (flags & HAS_MIN) === 0 || after - stillHeld >= rows.number(slot, WIDE_FIELD.min);
    return (flags & HAS_MAX) === 0 || after <= rows.number(slot, WIDE_FIELD.max);
  }

  /** Sets what is posted, a safe integer. */
  setPosted(slot: number, posted: number): void {
    this.#rows.setNumber(slot, WIDE_FIELD.posted, posted);
  }

  /**
   * Looks at the snapshot before a posting at this height: if it is of a height below, it must be the balance so far; and
   * it must be of no height below when this one is within those up to which all snapshots are complete.
   */
  checkSnapshotBefore(height: number, completeUpTo: number, slot: number, breaks: BreakList): void {
    const at = this.#rows.snapshotHeight(slot);
    if (at >= height || (at === NO_SNAPSHOT && height > completeUpTo)) return;
    if (at !== NO_SNAPSHOT) this.#compareSnapshot(slot, breaks);
    if (height > completeUpTo || this.#flags(slot) & SNAPSHOT_BEHIND) return;
    this.#mark(slot, SNAPSHOT_BEHIND);
    const id = this.#accounts.id(slot);
    breaks.add({
      kind: 'wrong_account_snapshot',
      book: this.book(slot),
      height,
      account: id,
      expected: `of height ${height} or later`,
      actual: at === NO_SNAPSHOT ? 'none' : `of height ${at}`,
      message: `the balance kept with account ${id} lacks what was posted at height ${height}`,
    });
  }

  /** Compares the snapshots that are left, but for those written since the tips were read. */
  checkSnapshots(tips: ReadonlyMap<number, number>, breaks: BreakList): void {
    for (let slot = 0; slot < this.size; slot++) {
      const height = this.#rows.snapshotHeight(slot);
      if (height !== NO_SNAPSHOT && height <= (tips.get(this.book(slot)) ?? 0)) {
        this.#compareSnapshot(slot, breaks);
      }
    }
  }

  /** Compares the snapshot with the balance replayed so far; once. */
  #compareSnapshot(slot: number, breaks: BreakList): void {
    if (this.#flags(slot) & SNAPSHOT_COMPARED) return;
    this.#mark(slot, SNAPSHOT_COMPARED);
    const posted = this.#snapshotPosted[slot]!;
    const held = this.#snapshotHeld[slot]!;
    if (posted === this.posted(slot) && held === this.held(slot)) return;
    const height = this.#rows.snapshotHeight(slot);
    const id = this.#accounts.id(slot);
    breaks.add({
      kind: 'wrong_account_snapshot',
      book: this.book(slot),
      height,
      account: id,
      expected: `posted ${this.posted(slot)}, held ${this.held(slot)}`,
      actual: `posted ${posted}, held ${held}`,
      message: `the balance kept with account ${id} is not the one of the journal at height ${height}`,
    });
  }

  /**
   * What is held on an account is held for its open payments. `moreFor`: how much more for these than when all that is
   * replayed began, by slot.
   */
  checkHeld(moreFor: ReadonlyMap<number, bigint>, isComplete: (book: number) => boolean, breaks: BreakList): void {
    for (let slot = 0; slot < this.size; slot++) {
      const held = this.held(slot);
      const expected = (this.#heldBefore.get(slot) ?? 0n) + (moreFor.get(slot) ?? 0n);
      const book = this.book(slot);
      // Of what is missing in a book nobody can tell what it held.
      if (held === expected || !isComplete(book)) continue;
      const account = this.#accounts.id(slot);
      const message = `${held} are held on account ${account}, and its open payments hold ${expected}`;
      breaks.add({
        kind: 'unexplained_hold',
        book,
        account,
        expected: String(expected),
        actual: String(held),
        message,
      });
    }
  }

  /** By how much all that was replayed changed the sum of each currency of each book. */
  sumsByBook(): Map<number, Map<string, bigint>> {
    const books = new Map<number, Map<string, bigint>>();
    for (let slot = 0; slot < this.size; slot++) {
      const posted = this.posted(slot) - (this.#postedBefore.get(slot) ?? 0n);
      if (posted === 0n) continue;
      const sums = books.get(this.book(slot)) ?? new Map<string, bigint>();
      books.set(this.book(slot), sums);
      const currency = this.currency(slot);
      sums.set(currency, (sums.get(currency) ?? 0n) + posted);
    }
    return books;
  }

  /** One row a currency, in alphabetical order. */
  trialBalance(): TrialBalanceRow[] {
    const rows = new Map<string, TrialBalanceRow>();
    for (let slot = 0; slot < this.size; slot++) {
      const currency = this.currency(slot);
      const row = rows.get(currency) ?? { currency, debit: 0n, credit: 0n, sum: 0n, accounts: 0 };
      rows.set(currency, row);
      const posted = this.posted(slot);
      if (posted < 0n) row.debit += posted;
      else row.credit += posted;
      row.sum += posted;
      row.accounts++;
    }
    return [...rows.values()].sort((a, b) => (a.currency < b.currency ? -1 : 1));
  }

  #flags(slot: number): number {
    return this.#rows.narrow(slot, NARROW_FIELD.flags);
  }
  #mark(slot: number, flags: number): void {
    this.#rows.setNarrow(slot, 'flags', this.#flags(slot) | flags);
  }
  #unmark(slot: number, flags: number): void {
    this.#rows.setNarrow(slot, 'flags', this.#flags(slot) & ~flags);
  }

  #currencyNumber(code: string): number {
    let number = this.#currencyNumbers.get(code);
    if (number === undefined) {
      number = this.#currencies.push(code) - 1;
      this.#currencyCodes.push(currencyCode(code));
      this.#currencyNumbers.set(code, number);
    }
    return number;
  }

  #widen(): void {
    const length = this.#snapshotPosted.length * 2;
    this.#snapshotPosted = widened(this.#snapshotPosted, new BigInt64Array(length));
    this.#snapshotHeld = widened(this.#snapshotHeld, new BigInt64Array(length));
  }
}

/** Can a balance be stored at all? */
export function isBalance(value: bigint): boolean {
  return value >= BALANCE_MIN && value <= BALANCE_MAX;
}

import { widened } from '../ledger/columns.ts';
import { isSystemAccount } from '../ledger/crossing.ts';
import type { AccountState } from '../ledger/types.ts';
import type { TrialBalanceRow } from '../payments/types.ts';
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

/**
 * Every account with its replayed balance, as columns: some 100 bytes an account, whatever the number of postings.
 *
 * Deliberately another one than the engine's: a check that shares code with what it checks shares its faults.
 */
export class ReplayTable {
  readonly #slots = new Map<string, number>();
  readonly #currencies: string[] = [];
  readonly #currencyNumbers = new Map<string, number>();
  #currency = new Uint16Array(SLOTS_AT_FIRST);
  #book = new Uint32Array(SLOTS_AT_FIRST);
  #flags = new Uint8Array(SLOTS_AT_FIRST);
  #min = new BigInt64Array(SLOTS_AT_FIRST);
  #max = new BigInt64Array(SLOTS_AT_FIRST);
  #posted = new BigInt64Array(SLOTS_AT_FIRST);
  #held = new BigInt64Array(SLOTS_AT_FIRST);
  /** The stretch of unbroken journal in which the account was last replayed. */
  #stretch = new Uint32Array(SLOTS_AT_FIRST);
  #snapshotPosted = new BigInt64Array(SLOTS_AT_FIRST);
  #snapshotHeld = new BigInt64Array(SLOTS_AT_FIRST);
  #snapshotHeight = new Float64Array(SLOTS_AT_FIRST);

  get size(): number {
    return this.#slots.size;
  }

  add(account: AuditedAccount): void {
    if (this.#slots.has(account.id)) return;
    const slot = this.#slots.size;
    if (slot === this.#flags.length) this.#widen();
    this.#slots.set(account.id, slot);
    this.#book[slot] = account.book;
    this.#currency[slot] = this.#currencyNumber(account.currency);
    this.#setLimits(slot, account);
    if (account.isAnnounced === false) this.#flags[slot]! |= IS_UNANNOUNCED;
    if (isSystemAccount(account.id)) this.#flags[slot]! |= IS_SYSTEM;
    this.#snapshotHeight[slot] = account.snapshot?.height ?? NO_SNAPSHOT;
    this.#snapshotPosted[slot] = account.snapshot?.posted ?? 0n;
    this.#snapshotHeld[slot] = account.snapshot?.held ?? 0n;
  }

  /** The slot of an account, or -1. */
  find(id: string): number {
    return this.#slots.get(id) ?? -1;
  }
  book(slot: number): number {
    return this.#book[slot]!;
  }
  currency(slot: number): string {
    return this.#currencies[this.#currency[slot]!]!;
  }
  posted(slot: number): bigint {
    return this.#posted[slot]!;
  }
  held(slot: number): bigint {
    return this.#held[slot]!;
  }
  min(slot: number): bigint | null {
    return this.#flags[slot]! & HAS_MIN ? this.#min[slot]! : null;
  }
  max(slot: number): bigint | null {
    return this.#flags[slot]! & HAS_MAX ? this.#max[slot]! : null;
  }
  /** Is it an account of the ledger itself? */
  isSystem(slot: number): boolean {
    return (this.#flags[slot]! & IS_SYSTEM) !== 0;
  }
  /** Does its document say that there are no changes of it? */
  isUnannounced(slot: number): boolean {
    return (this.#flags[slot]! & IS_UNANNOUNCED) !== 0;
  }
  /** An open account of a user, as nearly all are. */
  isOrdinary(slot: number): boolean {
    return (this.#flags[slot]! & (IS_SYSTEM | IS_FROZEN | IS_CLOSED)) === 0;
  }
  status(slot: number): AccountState['status'] {
    const flags = this.#flags[slot]!;
    if (flags & IS_CLOSED) return 'closed';
    return flags & IS_FROZEN ? 'frozen' : 'open';
  }
  state(slot: number): AccountState {
    return { status: this.status(slot), minBalance: this.min(slot), maxBalance: this.max(slot) };
  }
  stretch(slot: number): number {
    return this.#stretch[slot]!;
  }

  setState(slot: number, state: AccountState): void {
    this.#flags[slot]! &= ~(IS_FROZEN | IS_CLOSED);
    if (state.status === 'closed') this.#flags[slot]! |= IS_CLOSED;
    if (state.status === 'frozen') this.#flags[slot]! |= IS_FROZEN;
    this.#setLimits(slot, state);
  }

  #setLimits(slot: number, { minBalance, maxBalance }: Pick<AccountState, 'minBalance' | 'maxBalance'>): void {
    this.#flags[slot]! &= ~(HAS_MIN | HAS_MAX);
    if (minBalance !== null) {
      this.#flags[slot]! |= HAS_MIN;
      this.#min[slot] = minBalance;
    }
    if (maxBalance !== null) {
      this.#flags[slot]! |= HAS_MAX;
      this.#max[slot] = maxBalance;
    }
  }

  set(slot: number, posted: bigint, held: bigint, stretch: number): void {
    this.#posted[slot] = posted;
    this.#held[slot] = held;
    this.#stretch[slot] = stretch;
  }

  /**
   * Looks at the snapshot before a posting at this height: if it is of a height below, it must be the balance so far; and
   * it must be of no height below when this one is within those up to which all snapshots are complete.
   */
  checkSnapshotBefore(height: number, completeUpTo: number, id: string, slot: number, breaks: BreakList): void {
    const at = this.#snapshotHeight[slot]!;
    if (at >= height) return;
    if (at !== NO_SNAPSHOT) this.#compareSnapshot(id, slot, breaks);
    if (height > completeUpTo || this.#flags[slot]! & SNAPSHOT_BEHIND) return;
    this.#flags[slot]! |= SNAPSHOT_BEHIND;
    breaks.add({
      kind: 'wrong_account_snapshot',
      book: this.#book[slot]!,
      height,
      account: id,
      expected: `of height ${height} or later`,
      actual: at === NO_SNAPSHOT ? 'none' : `of height ${at}`,
      message: `the balance kept with account ${id} lacks what was posted at height ${height}`,
    });
  }

  /** Compares the snapshots that are left, but for those written since the tips were read. */
  checkSnapshots(tips: ReadonlyMap<number, number>, breaks: BreakList): void {
    for (const [id, slot] of this.#slots) {
      const height = this.#snapshotHeight[slot]!;
      if (height !== NO_SNAPSHOT && height <= (tips.get(this.#book[slot]!) ?? 0)) {
        this.#compareSnapshot(id, slot, breaks);
      }
    }
  }

  /** Compares the snapshot with the balance replayed so far; once. */
  #compareSnapshot(id: string, slot: number, breaks: BreakList): void {
    if (this.#flags[slot]! & SNAPSHOT_COMPARED) return;
    this.#flags[slot]! |= SNAPSHOT_COMPARED;
    const posted = this.#snapshotPosted[slot]!;
    const held = this.#snapshotHeld[slot]!;
    if (posted === this.#posted[slot] && held === this.#held[slot]) return;
    breaks.add({
      kind: 'wrong_account_snapshot',
      book: this.#book[slot]!,
      height: this.#snapshotHeight[slot]!,
      account: id,
      expected: `posted ${this.#posted[slot]}, held ${this.#held[slot]}`,
      actual: `posted ${posted}, held ${held}`,
      message: `the balance kept with account ${id} is not the one of the journal at height ${this.#snapshotHeight[slot]}`,
    });
  }

  /** What is held on an account is held for its open payments. `heldFor`: for these, by slot. */
  checkHeld(heldFor: ReadonlyMap<number, bigint>, isComplete: (book: number) => boolean, breaks: BreakList): void {
    for (const [account, slot] of this.#slots) {
      const [held, expected] = [this.#held[slot]!, heldFor.get(slot) ?? 0n];
      const book = this.#book[slot]!;
      // Of what is missing in a book nobody can tell what it held.
      if (held === expected || !isComplete(book)) continue;
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

  /** Sum of the replayed balances of each currency of each book. */
  sumsByBook(): Map<number, Map<string, bigint>> {
    const books = new Map<number, Map<string, bigint>>();
    for (let slot = 0; slot < this.size; slot++) {
      const posted = this.#posted[slot]!;
      if (posted === 0n) continue;
      const sums = books.get(this.#book[slot]!) ?? new Map<string, bigint>();
      books.set(this.#book[slot]!, sums);
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
      const posted = this.#posted[slot]!;
      if (posted < 0n) row.debit += posted;
      else row.credit += posted;
      row.sum += posted;
      row.accounts++;
    }
    return [...rows.values()].sort((a, b) => (a.currency < b.currency ? -1 : 1));
  }

  #currencyNumber(code: string): number {
    let number = this.#currencyNumbers.get(code);
    if (number === undefined) {
      number = this.#currencies.push(code) - 1;
      this.#currencyNumbers.set(code, number);
    }
    return number;
  }

  #widen(): void {
    const length = this.#flags.length * 2;
    this.#currency = widened(this.#currency, new Uint16Array(length));
    this.#book = widened(this.#book, new Uint32Array(length));
    this.#flags = widened(this.#flags, new Uint8Array(length));
    this.#min = widened(this.#min, new BigInt64Array(length));
    this.#max = widened(this.#max, new BigInt64Array(length));
    this.#posted = widened(this.#posted, new BigInt64Array(length));
    this.#held = widened(this.#held, new BigInt64Array(length));
    this.#stretch = widened(this.#stretch, new Uint32Array(length));
    this.#snapshotPosted = widened(this.#snapshotPosted, new BigInt64Array(length));
    this.#snapshotHeld = widened(this.#snapshotHeld, new BigInt64Array(length));
    this.#snapshotHeight = widened(this.#snapshotHeight, new Float64Array(length));
  }
}

/** Can a balance be stored at all? */
export function isBalance(value: bigint): boolean {
  return value >= BALANCE_MIN && value <= BALANCE_MAX;
}

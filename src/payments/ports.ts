/** What the payments room needs of the storage. `src/mongo` implements these; all reads are majority reads. */
import type { Balance, Placed, StoredBlock } from '../ledger/types.ts';
import type { AccountView, Page, PageQuery, PaymentFilter, PaymentView, TrialBalanceRow } from './types.ts';

export interface AccountsStore {
  /** Inserts the account unless its id is taken; answers what stands under the id then. */
  insert(account: AccountView): Promise<{ account: AccountView; created: boolean }>;
  get(id: string): Promise<AccountView | null>;
  /** Newest first. Null when the cursor names no account. */
  list(page: PageQuery): Promise<Page<AccountView> | null>;
}

/** A position in the order of the whole journal: time of the block, then book, height and index of the entry. */
export interface Position {
  readonly at: number;
  readonly book: number;
  readonly height: number;
  readonly index: number;
}

export interface PlacedAt extends Placed {
  /** Position of the entry in its block, from 0. */
  readonly index: number;
}

export type Direction = 'older' | 'newer';

export interface JournalQueries {
  findEntries(ids: readonly string[]): Promise<Placed[]>;
  balances(accounts: readonly string[]): Promise<Map<string, Balance>>;
  /** The balance at or below a height of the account's book; null: not posted to by then. */
  balanceAt(account: string, height: number): Promise<Balance | null>;
  /** The height of the last block of a book at or before a time in ms; 0: none. */
  heightAt(book: number, at: number): Promise<number>;
  /** Entries that post to an account, next to a position (exclusive), nearest first; null: from the newest. */
  entriesOf(
    account: string,
    from: Pick<Position, 'height' | 'index'> | null,
    direction: Direction,
    limit: number,
  ): Promise<PlacedAt[]>;
  /** Entries of all books that describe a command, next to a position (exclusive), nearest first; null: from the newest. */
  entries(from: Position | null, direction: Direction, limit: number): Promise<PlacedAt[]>;
  /** Where the entry that describes a command stands; null: nowhere. */
  positionOf(id: string): Promise<Position | null>;
  /** Sums over all accounts at one moment, so that writes meanwhile do not disturb it. */
  trialBalance(): Promise<TrialBalanceRow[]>;
}

/** What is written behind the journal: the read model of payments, and the balances kept with the accounts. */
export type ViewName = 'payments' | 'balances';

/** How far something that is written behind the journal goes in one book. */
export interface ViewPosition {
  /** It is complete up to this height. */
  readonly height: number;
  /** Since it was last cleared; null for one of before these were counted. */
  readonly epoch: string | null;
}

/** The read model of payments: rebuilt from the journal at any time; nothing is decided from it. */
export interface PaymentsView {
  position(book: number): Promise<ViewPosition>;
  /**
   * Takes in the payments of the blocks above a position up to a height; doing so again changes nothing. The view then
   * counts as complete up to there, unless it was cleared since the position was read.
   */
  apply(book: number, from: ViewPosition, upTo: number, payments: readonly PaymentView[]): Promise<void>;
  /** Forgets everything. */
  clear(): Promise<void>;
  /** Newest first. Null when the cursor names no payment. */
  list(filter: PaymentFilter, page: PageQuery): Promise<Page<PaymentView> | null>;
}

export interface BlockReader {
  read(book: number, fromHeight: number, limit: number): Promise<StoredBlock[]>;
}

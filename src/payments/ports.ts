/** What the payments room needs of the storage. `src/mongo` implements these; all reads are majority reads. */
import type { AccountState, AccountTip, Balance, CommandKind, Placed, StoredBlock } from '../ledger/types.ts';
import type {
  AccountChange,
  AccountView,
  BookView,
  Page,
  PageQuery,
  PaymentFilter,
  PaymentStatus,
  PaymentView,
  TransactionFilter,
  TrialBalanceRow,
} from './types.ts';

export interface AccountsStore {
  /** Inserts the account unless its id is taken; answers what stands under the id then. */
  insert(account: AccountView): Promise<{ account: AccountView; created: boolean }>;
  get(id: string): Promise<OpenedAccount | null>;
  /** By their ids; those that are not there are missing. */
  find(ids: readonly string[]): Promise<Map<string, OpenedAccount>>;
  /**
   * Newest first; null when the cursor names no account. Those whose ids begin with `prefix` in the order of their ids.
   */
  list(page: PageQuery, prefix?: string): Promise<Page<OpenedAccount> | null>;
  /** Changes an account as it is at one moment: `change` is asked anew until nobody else was faster. Null: not there. */
  update(
    id: string,
    change: (account: OpenedAccount) => AccountChange | Promise<AccountChange>,
  ): Promise<OpenedAccount | null>;
}

/** An account as it was opened. */
export interface OpenedAccount extends AccountView {
  /** The journal may say that its status or limits are others by now. */
  readonly mayHaveChanged: boolean;
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

/** A place among the entries of one book. */
export type BookPosition = Pick<Position, 'height' | 'index'>;

/** Which of the entries that post to an account. */
export interface AccountEntries {
  readonly kind?: CommandKind | undefined;
  readonly direction?: 'debit' | 'credit' | undefined;
  /** Both heights belong to it. */
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  /** One entry for each command at most: without what took it back. */
  readonly once?: boolean | undefined;
}

export interface JournalQueries {
  findEntries(ids: readonly string[]): Promise<Placed[]>;
  balances(accounts: readonly string[]): Promise<Map<string, AccountTip>>;
  /** How accounts are since they were last changed; one that never was is missing. */
  accountStates(accounts: readonly string[]): Promise<Map<string, AccountState>>;
  /** The latest entries that say how commands are settled, by their ids. */
  latestAbout(ids: readonly string[]): Promise<Map<string, Placed>>;
  /**
   * Entries of other commands that say how this one is settled, next to a position (exclusive), nearest first; null: from
   * the oldest, or from the newest.
   */
  followers(id: string, from: BookPosition | null, direction: Direction, limit: number): Promise<PlacedAt[]>;
  /** Where a command first stands among these; null: nowhere. */
  positionOfFollower(id: string, follower: string): Promise<BookPosition | null>;
  /** The balance at or below a height of the account's book; null: not posted to by then. */
  balanceAt(account: string, height: number): Promise<Balance | null>;
  /** The height of the last block of a book at or before a time in ms; 0: none. */
  heightAt(book: number, at: number): Promise<number>;
  /** Entries that post to an account, next to a position (exclusive), nearest first; null: from the newest. */
  entriesOf(
    account: string,
    from: BookPosition | null,
    direction: Direction,
    limit: number,
    which?: AccountEntries,
  ): Promise<PlacedAt[]>;
  /** Entries of all books that describe a command, next to a position (exclusive), nearest first; null: from the newest. */
  entries(
    from: Position | null,
    direction: Direction,
    limit: number,
    which?: Pick<TransactionFilter, 'kind' | 'createdFrom' | 'createdTo'>,
  ): Promise<PlacedAt[]>;
  /** Where to go on among the entries of an account from a command, which need not post to it; null: there is none. */
  positionAmong(
    account: Pick<AccountView, 'id' | 'book'>,
    id: string,
    direction: Direction,
  ): Promise<BookPosition | null>;
  /** Where the entry that describes a command stands; null: nowhere. */
  positionOf(id: string): Promise<Position | null>;
  /** Sums over all accounts at one moment, so that writes meanwhile do not disturb it. */
  trialBalance(): Promise<TrialBalanceRow[]>;
  /** How far each book goes that has a block, in order. */
  tips(): Promise<BookView[]>;
}

/** The balance of an account that exists; height 0: never posted to. */
export interface KnownBalance extends Balance {
  readonly account: string;
  readonly currency: string;
}

/** Balances of many accounts at once. */
export interface BalanceQueries {
  /** Of one moment, or by a time. Those of no account are missing. */
  balancesOf(accounts: readonly string[], at?: Date): Promise<Map<string, KnownBalance>>;
  /** Of all accounts whose ids begin with a text, at one moment. Null: there are more than `limit`. */
  balancesBelow(prefix: string, limit: number): Promise<KnownBalance[] | null>;
}

/** What is written behind the journal: the read model of payments, the balances kept with the accounts, what is told. */
export type ViewName = 'payments' | 'balances' | 'events' | 'webhooks';

/** How far something that is written behind the journal goes in one book. */
export interface ViewPosition {
  /** It is complete up to this height. */
  readonly height: number;
  /** Since it was last cleared; null for one of before these were counted. */
  readonly epoch: string | null;
}

/** How a payment stands after the entries of some blocks that are about it. */
export interface SettledPayment
  extends Pick<
    PaymentView,
    'id' | 'amountHeld' | 'amountCaptured' | 'amountRefunded' | 'updatedAt' | 'lastTransactionId'
  > {
  /** null: as it is once its money was moved. */
  readonly status: PaymentStatus | null;
  /** Of the last of these blocks. */
  readonly height: number;
}

/** The read model of payments: rebuilt from the journal at any time; nothing is decided from it. */
export interface PaymentsView {
  position(book: number): Promise<ViewPosition>;
  /**
   * Takes in the payments of the blocks above a position up to a height; doing so again changes nothing. The view then
   * counts as complete up to there, unless it was cleared since the position was read.
   */
  apply(
    book: number,
    from: ViewPosition,
    upTo: number,
    payments: readonly PaymentView[],
    settled: readonly SettledPayment[],
  ): Promise<void>;
  /** Ids of payments that hold something which could only be captured before this time, longest overdue first. */
  heldUntil(time: Date, limit: number): Promise<string[]>;
  /** Forgets everything. */
  clear(): Promise<void>;
  /** Newest first. Null when the cursor names no payment that is known here, unless it is said when it was created. */
  list(filter: PaymentFilter, page: PageQuery, cursorAt?: Date): Promise<Page<PaymentView> | null>;
}

export interface BlockReader {
  read(book: number, fromHeight: number, limit: number): Promise<StoredBlock[]>;
}

/** What users of the API see: payments, transactions, accounts. Amounts are `bigint` minor units. Times are Dates, UTC. */
import type {
  AccountState,
  AccountStatus,
  Balance,
  CommandKind,
  Leg,
  Posting,
  RejectionReason,
} from '../ledger/types.ts';
import type { Split } from './splits.ts';

export interface AccountView {
  id: string;
  currency: string;
  book: number;
  status: AccountStatus;
  /** null: no limit. */
  minBalance: bigint | null;
  maxBalance: bigint | null;
  metadata: Record<string, string>;
  createdAt: Date;
}

/**
 * - `authorized`: something is held that can still be captured. `captured`: that is over, and something was.
 * - `posted`: paid at once.
 * - `canceled`, `expired`: what was held was released, and nothing was captured.
 * - `refunded`: all that was paid was paid back.
 * - `rejected`: the ledger decided against it.
 */
export const PAYMENT_STATUSES = [
  'authorized',
  'captured',
  'posted',
  'canceled',
  'expired',
  'refunded',
  'rejected',
] as const;
export type PaymentStatus = (typeof PAYMENT_STATUSES)[number];

export interface PaymentView {
  /** `pay_` and a UUIDv7. */
  id: string;
  /** `txn_` and the same UUIDv7. */
  transactionId: string;
  status: PaymentStatus;
  rejectionReason: RejectionReason | null;
  capture: 'automatic' | 'manual';
  source: string;
  /** null: several, see `splits`. */
  destination: string | null;
  /** Who gets how much; empty when it is one destination. */
  splits: readonly { readonly destination: string; readonly amount: bigint }[];
  amount: bigint;
  /** Still held, and not captured. */
  amountHeld: bigint;
  amountCaptured: bigint;
  amountRefunded: bigint;
  currency: string;
  /** From then on nothing can be captured; null: there is no such time. */
  expiresAt: Date | null;
  reference: string | null;
  description: string | null;
  metadata: Record<string, string>;
  createdAt: Date;
  /** When the ledger last decided something about it, and the transaction that says so. */
  updatedAt: Date;
  lastTransactionId: string;
  /** Where the payment itself stands. */
  book: number;
  height: number;
}

export interface TransactionView {
  id: string;
  kind: CommandKind;
  /** `pending`: over several books, and not yet at its end in all of them. */
  status: 'posted' | 'rejected' | 'pending';
  rejectionReason: RejectionReason | null;
  /** The payment or transaction that it captures, releases, refunds or reverses; null: none. */
  about: string | null;
  /** With balances after each when posted; as asked for when rejected; when pending, what is known of them. */
  postings: readonly (Posting | Leg)[];
  reference: string | null;
  description: string | null;
  metadata: Record<string, string>;
  createdAt: Date;
  book: number;
  height: number;
}

/** One line of a statement. */
export interface StatementLine {
  transactionId: string;
  kind: CommandKind;
  amount: bigint;
  currency: string;
  posted: bigint;
  held: bigint;
  reference: string | null;
  createdAt: Date;
  book: number;
  height: number;
  /** Position of the entry in its block, from 0. */
  index: number;
}

export interface BalanceView extends Balance {
  account: string;
  currency: string;
  available: bigint;
  asOf: Date;
}

/** What was found of some accounts, each as often as it was asked for, in that order. */
export interface BalancesView {
  balances: BalanceView[];
  /** Of no account. */
  unknown: string[];
}

export interface BalanceSum {
  /** How the ids of the accounts begin. */
  prefix: string;
  currency: string;
  accounts: number;
  posted: bigint;
  held: bigint;
  available: bigint;
}

export interface BalanceSums {
  prefix: string;
  /** By prefix and currency. */
  sums: BalanceSum[];
  asOf: Date;
}

export interface TrialBalanceRow {
  currency: string;
  /** Sum of the negative balances (what is owed to the ledger), sum of the positive ones (what it owes); they cancel. */
  debit: bigint;
  credit: bigint;
  sum: bigint;
  accounts: number;
}

/** How far a book goes. */
export interface BookView {
  book: number;
  height: number;
  /** Of the block at that height, in hex: it stands for all below. */
  hash: string;
  term: number;
  /** When that block was written. */
  at: Date;
}

export interface Page<T> {
  data: T[];
  hasMore: boolean;
}

export interface PageQuery {
  limit: number;
  startingAfter?: string | undefined;
  endingBefore?: string | undefined;
}

export interface CreateAccount {
  id: string;
  currency: string;
  minBalance?: bigint | null | undefined;
  maxBalance?: bigint | null | undefined;
  metadata?: Record<string, string> | undefined;
}

export interface CreatePayment {
  source: string;
  /** One destination, or several by splits. */
  destination?: string | undefined;
  splits?: readonly Split[] | undefined;
  amount: bigint;
  currency: string;
  capture?: 'automatic' | 'manual' | undefined;
  /** Only when captured later. */
  expiresAt?: Date | undefined;
  reference?: string | undefined;
  description?: string | undefined;
  metadata?: Record<string, string> | undefined;
}

/** What is to be captured or refunded, and what the caller wants to remember with it. */
export interface FollowPayment {
  /** All that can be, unless given. */
  amount?: bigint | undefined;
  /** Of a capture: what is held beyond it is released. */
  isLast?: boolean | undefined;
  reference?: string | undefined;
  description?: string | undefined;
  metadata?: Record<string, string> | undefined;
}

/** What became of a capture, cancel or refund. */
export interface Followed {
  /** The payment after it; as it was, when that was rejected. */
  payment: PaymentView;
  transactionId: string;
  rejectionReason: RejectionReason | null;
}

export type ChangeAccount = Partial<AccountState>;

/** What became of a change of an account. */
export interface Changed {
  account: AccountView;
  transactionId: string;
  rejectionReason: RejectionReason | null;
}

export interface CreateTransaction {
  postings: readonly Leg[];
  reference?: string | undefined;
  description?: string | undefined;
  metadata?: Record<string, string> | undefined;
}

/** What may change of an account. */
export interface AccountChange {
  metadata: Record<string, string>;
}

/** Who asks, and under which key. The key is scoped to the client. */
/** What a caller says of the trace that it belongs to, by W3C Trace Context. */
export interface TraceParent {
  readonly traceparent?: string | undefined;
  readonly tracestate?: string | undefined;
}

export interface Caller {
  client: string;
  key: string;
  /** Only to be told what would become of it. */
  dryRun?: boolean;
  /** Of the request or message, for the log. */
  requestId?: string;
  /** The request asks for several, each with a key of its own. */
  isOneOfMany?: boolean;
}

export interface Answer<T> {
  value: T;
  replayed: boolean;
}

/** Both ends belong to it. */
export interface TimeRange {
  createdFrom?: Date | undefined;
  createdTo?: Date | undefined;
}

export interface PaymentFilter extends TimeRange {
  status?: PaymentView['status'] | undefined;
  /** That gives or gets. */
  account?: string | undefined;
  reference?: string | undefined;
  currency?: string | undefined;
  /** Both ends belong to it. */
  amountFrom?: bigint | undefined;
  amountTo?: bigint | undefined;
  /** Each of these pairs, among others. */
  metadata?: Readonly<Record<string, string>> | undefined;
}

export interface TransactionFilter extends TimeRange {
  /** That was posted to; the time is then that of the posting. */
  account?: string | undefined;
  kind?: CommandKind | undefined;
}

export interface StatementFilter extends TimeRange {
  kind?: CommandKind | undefined;
  /** What takes from the account, or what gives to it. */
  direction?: 'debit' | 'credit' | undefined;
}

/**
 * What users do. Errors: {@link LedgerError} from the ledger, {@link PaymentsError} for what is missing or in conflict.
 * The same interface serves HTTP, the queue consumer and the command line.
 */
export interface Payments {
  /** `created` is false when an account with the same identity existed already. */
  createAccount(request: CreateAccount): Promise<{ account: AccountView; created: boolean }>;
  changeAccount(id: string, change: ChangeAccount, caller: Caller): Promise<Answer<Changed>>;
  getAccount(id: string): Promise<AccountView>;
  /** `change` is told what it is, and may throw; it is asked again when somebody else changed the account meanwhile. */
  updateAccount(id: string, change: (account: AccountView) => AccountChange): Promise<AccountView>;
  /** Newest first; those whose ids begin with `prefix` in the order of their ids. */
  listAccounts(page: PageQuery, prefix?: string): Promise<Page<AccountView>>;
  balance(account: string, at?: Date): Promise<BalanceView>;
  /** All of one moment. */
  balances(accounts: readonly string[], at?: Date): Promise<BalancesView>;
  /** All accounts whose ids begin with `prefix`, at one moment; apart by the first `level` parts of their ids. */
  balanceSums(prefix: string, level?: number): Promise<BalanceSums>;
  /** Newest first; cursors are `<height>.<index>` of a line. */
  statement(account: string, page: PageQuery, filter?: StatementFilter): Promise<Page<StatementLine>>;
  createPayment(request: CreatePayment, caller: Caller): Promise<Answer<PaymentView>>;
  /** Captures what the payment holds, or a part of it. */
  capturePayment(id: string, request: FollowPayment, caller: Caller): Promise<Answer<Followed>>;
  /** Releases what the payment holds. */
  cancelPayment(id: string, request: FollowPayment, caller: Caller): Promise<Answer<Followed>>;
  /** Pays back what the payment has paid, or a part of it. */
  refundPayment(id: string, request: FollowPayment, caller: Caller): Promise<Answer<Followed>>;
  getPayment(id: string): Promise<PaymentView>;
  listPayments(filter: PaymentFilter, page: PageQuery): Promise<Page<PaymentView>>;
  /** Its own, and those that captured, released or refunded it: the only list that is oldest first. */
  paymentTransactions(id: string, page: PageQuery): Promise<Page<TransactionView>>;
  createTransaction(request: CreateTransaction, caller: Caller): Promise<Answer<TransactionView>>;
  /** Takes a transaction back as a whole, by one that moves the opposite. */
  reverseTransaction(id: string, request: FollowPayment, caller: Caller): Promise<Answer<TransactionView>>;
  getTransaction(id: string): Promise<TransactionView>;
  listTransactions(page: PageQuery, filter?: TransactionFilter): Promise<Page<TransactionView>>;
  trialBalance(): Promise<TrialBalanceRow[]>;
  /** Those that have a block, in order. */
  books(): Promise<BookView[]>;
}

export const PAYMENTS_ERROR_CODES = [
  'not_found',
  'account_exists',
  'invalid_cursor',
  'not_reversible',
  'transaction_pending',
  'too_many_accounts',
] as const;
export type PaymentsErrorCode = (typeof PAYMENTS_ERROR_CODES)[number];

export class PaymentsError extends Error {
  override readonly name = 'PaymentsError';
  constructor(
    readonly code: PaymentsErrorCode,
    message: string,
  ) {
    super(message);
  }
}

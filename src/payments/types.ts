/** What users of the API see: payments, transactions, accounts. Amounts are `bigint` minor units. Times are Dates, UTC. */
import type { Balance, CommandKind, Leg, Posting, RejectionReason } from '../ledger/types.ts';

export interface AccountView {
  id: string;
  currency: string;
  book: number;
  /** null: no limit. */
  minBalance: bigint | null;
  maxBalance: bigint | null;
  metadata: Record<string, string>;
  createdAt: Date;
}

export interface PaymentView {
  /** `pay_` and a UUIDv7. */
  id: string;
  /** `txn_` and the same UUIDv7. */
  transactionId: string;
  status: 'posted' | 'rejected';
  rejectionReason: RejectionReason | null;
  source: string;
  destination: string;
  amount: bigint;
  currency: string;
  reference: string | null;
  description: string | null;
  metadata: Record<string, string>;
  createdAt: Date;
  book: number;
  height: number;
}

export interface TransactionView {
  id: string;
  kind: CommandKind;
  /** `pending`: over several books, and not yet at its end in all of them. */
  status: 'posted' | 'rejected' | 'pending';
  rejectionReason: RejectionReason | null;
  /** With balances after each when posted; as asked for when rejected. */
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

export interface TrialBalanceRow {
  currency: string;
  /** Sum of the negative balances (what is owed to the ledger), sum of the positive ones (what it owes); they cancel. */
  debit: bigint;
  credit: bigint;
  sum: bigint;
  accounts: number;
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
  destination: string;
  amount: bigint;
  currency: string;
  reference?: string | undefined;
  description?: string | undefined;
  metadata?: Record<string, string> | undefined;
}

export interface CreateTransaction {
  postings: readonly Leg[];
  reference?: string | undefined;
  description?: string | undefined;
  metadata?: Record<string, string> | undefined;
}

/** Who asks, and under which key. The key is scoped to the client. */
export interface Caller {
  client: string;
  key: string;
}

export interface Answer<T> {
  value: T;
  replayed: boolean;
}

export interface PaymentFilter {
  status?: 'posted' | 'rejected' | undefined;
  account?: string | undefined;
  reference?: string | undefined;
  createdFrom?: Date | undefined;
  createdTo?: Date | undefined;
}

/**
 * What users do. Errors: {@link LedgerError} from the ledger, {@link PaymentsError} for what is missing or in conflict.
 * The same interface serves HTTP, the queue consumer and the command line.
 */
export interface Payments {
  /** `created` is false when an account with the same identity existed already. */
  createAccount(request: CreateAccount): Promise<{ account: AccountView; created: boolean }>;
  getAccount(id: string): Promise<AccountView>;
  listAccounts(page: PageQuery): Promise<Page<AccountView>>;
  balance(account: string, at?: Date): Promise<BalanceView>;
  /** Newest first; cursors are `<height>.<index>` of a line. */
  statement(account: string, page: PageQuery): Promise<Page<StatementLine>>;
  createPayment(request: CreatePayment, caller: Caller): Promise<Answer<PaymentView>>;
  getPayment(id: string): Promise<PaymentView>;
  listPayments(filter: PaymentFilter, page: PageQuery): Promise<Page<PaymentView>>;
  createTransaction(request: CreateTransaction, caller: Caller): Promise<Answer<TransactionView>>;
  getTransaction(id: string): Promise<TransactionView>;
  listTransactions(page: PageQuery): Promise<Page<TransactionView>>;
  trialBalance(): Promise<TrialBalanceRow[]>;
}

export const PAYMENTS_ERROR_CODES = ['not_found', 'account_exists', 'invalid_cursor'] as const;
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

/**
 * An honest, small `Payments` in memory, so that the HTTP room is tried without a database: it keeps balances, limits,
 * idempotency keys and pages. It counts its calls, so that a test can say that a refused request never got here.
 */
import { LedgerError } from '../../../src/ledger/errors.ts';
import type { Leg, Posting, RejectionReason } from '../../../src/ledger/types.ts';
import {
  type AccountView,
  type Answer,
  type BalanceView,
  type Caller,
  type CreateAccount,
  type CreatePayment,
  type CreateTransaction,
  type Page,
  type PageQuery,
  type PaymentFilter,
  type Payments,
  PaymentsError,
  type PaymentView,
  type StatementLine,
  type TransactionView,
  type TrialBalanceRow,
} from '../../../src/payments/types.ts';

const EPOCH_MS = Date.UTC(2026, 0, 31, 12);

export class MemoryPayments implements Payments {
  calls = 0;
  /** Thrown by the next calls while set. */
  failure: Error | null = null;
  lastFilter: PaymentFilter | null = null;
  private readonly accounts = new Map<string, AccountView>();
  private readonly posted = new Map<string, bigint>();
  private readonly transactions: TransactionView[] = [];
  private readonly payments: PaymentView[] = [];
  private readonly statements = new Map<string, StatementLine[]>();
  private readonly answers = new Map<string, { fingerprint: string; value: PaymentView | TransactionView }>();

  private called(): void {
    this.calls++;
    if (this.failure !== null) throw this.failure;
  }

  async createAccount(request: CreateAccount): Promise<{ account: AccountView; created: boolean }> {
    this.called();
    const account: AccountView = {
      id: request.id,
      currency: request.currency,
      book: 0,
      minBalance: request.minBalance === undefined ? (request.id.startsWith('world:') ? null : 0n) : request.minBalance,
      maxBalance: request.maxBalance ?? null,
      metadata: request.metadata ?? {},
      createdAt: new Date(EPOCH_MS),
    };
    const known = this.accounts.get(account.id);
    if (known === undefined) {
      this.accounts.set(account.id, account);
      return { account, created: true };
    }
    const identity = (a: AccountView) => fingerprintOf([a.currency, a.minBalance, a.maxBalance]);
    if (identity(known) === identity(account)) return { account: known, created: false };
    throw new PaymentsError('account_exists', `Account ${account.id} exists with another currency or limits.`);
  }

  async getAccount(id: string): Promise<AccountView> {
    this.called();
    return this.account(id);
  }

  async listAccounts(page: PageQuery): Promise<Page<AccountView>> {
    this.called();
    return paged([...this.accounts.values()].reverse(), page, (account) => account.id);
  }

  async balance(id: string, at?: Date): Promise<BalanceView> {
    this.called();
    const { currency } = this.account(id);
    const last = (this.statements.get(id) ?? []).findLast((line) => at === undefined || line.createdAt <= at);
    const posted = last?.posted ?? 0n;
    return {
      account: id,
      currency,
      posted,
      held: 0n,
      available: posted,
      height: last?.height ?? 0,
      at: last?.createdAt.getTime() ?? 0,
      asOf: at ?? new Date(EPOCH_MS),
    };
  }

  async statement(id: string, page: PageQuery): Promise<Page<StatementLine>> {
    this.called();
    this.account(id);
    const lines = [...(this.statements.get(id) ?? [])].reverse();
    return paged(lines, page, (line) => `${line.height}.${line.index}`);
  }

  async createPayment(request: CreatePayment, caller: Caller): Promise<Answer<PaymentView>> {
    this.called();
    return this.once(request, caller, () => {
      const { source, destination, amount, currency } = request;
      const legs = [
        { account: source, amount: -amount, currency },
        { account: destination, amount, currency },
      ];
      const transaction = this.decide('payment', legs, request);
      const {
        id,
        kind: _kind,
        postings: _postings,
        ...rest
      } = transaction as Omit<TransactionView, 'status'> & {
        status: PaymentView['status'];
      };
      const payment = { ...rest, id: id.replace('txn_', 'pay_'), transactionId: id, source, destination };
      this.payments.push({ ...payment, amount, currency });
      return this.payments.at(-1) as PaymentView;
    });
  }

  async getPayment(id: string): Promise<PaymentView> {
    this.called();
    return found(
      this.payments.find((payment) => payment.id === id),
      id,
    );
  }

  async listPayments(filter: PaymentFilter, page: PageQuery): Promise<Page<PaymentView>> {
    this.called();
    this.lastFilter = filter;
    const matching = this.payments.filter(
      (payment) =>
        (filter.status === undefined || payment.status === filter.status) &&
        (filter.account === undefined || [payment.source, payment.destination].includes(filter.account)) &&
        (filter.reference === undefined || payment.reference === filter.reference) &&
        (filter.createdFrom === undefined || payment.createdAt >= filter.createdFrom) &&
        (filter.createdTo === undefined || payment.createdAt <= filter.createdTo),
    );
    return paged(matching.reverse(), page, (payment) => payment.id);
  }

  async createTransaction(request: CreateTransaction, caller: Caller): Promise<Answer<TransactionView>> {
    this.called();
    return this.once(request, caller, () => this.decide('transaction', request.postings, request));
  }

  async getTransaction(id: string): Promise<TransactionView> {
    this.called();
    return found(
      this.transactions.find((transaction) => transaction.id === id),
      id,
    );
  }

  async listTransactions(page: PageQuery): Promise<Page<TransactionView>> {
    this.called();
    return paged([...this.transactions].reverse(), page, (transaction) => transaction.id);
  }

  async trialBalance(): Promise<TrialBalanceRow[]> {
    this.called();
    const rows = new Map<string, TrialBalanceRow>();
    for (const { id, currency } of this.accounts.values()) {
      const row = rows.get(currency) ?? { currency, debit: 0n, credit: 0n, sum: 0n, accounts: 0 };
      const balance = this.posted.get(id) ?? 0n;
      if (balance > 0n) row.debit += balance;
      else row.credit += balance;
      rows.set(currency, { ...row, sum: row.sum + balance, accounts: row.accounts + 1 });
    }
    return [...rows.values()];
  }

  private account(id: string): AccountView {
    return found(this.accounts.get(id), id);
  }

  private once<T extends PaymentView | TransactionView>(request: object, caller: Caller, run: () => T): Answer<T> {
    const key = `${caller.client}/${caller.key}`;
    const fingerprint = fingerprintOf(request);
    const known = this.answers.get(key);
    if (known === undefined) {
      const value = run();
      this.answers.set(key, { fingerprint, value });
      return { value, replayed: false };
    }
    if (known.fingerprint === fingerprint) return { value: known.value as T, replayed: true };
    throw new LedgerError('idempotency_key_reused', 'The key was used with another request.');
  }

  private decide(kind: 'payment' | 'transaction', legs: readonly Leg[], details: CreateTransaction | CreatePayment) {
    for (const [index, leg] of legs.entries()) this.checkLeg(leg, index);
    const rejectionReason = this.rejectionOf(legs);
    const height = this.transactions.length + 1;
    const transaction: TransactionView = {
      id: `txn_00000000-0000-7000-8000-${String(height).padStart(12, '0')}`,
      kind,
      status: rejectionReason === null ? 'posted' : 'rejected',
      rejectionReason,
      postings: rejectionReason === null ? legs.map((leg) => this.post(leg)) : legs,
      reference: details.reference ?? null,
      description: details.description ?? null,
      metadata: details.metadata ?? {},
      createdAt: new Date(EPOCH_MS + height * 1000),
      book: 0,
      height,
    };
    this.transactions.push(transaction);
    if (rejectionReason === null) this.writeStatements(transaction);
    return transaction;
  }

  private checkLeg(leg: Leg, index: number): void {
    const where = { account: leg.account, leg: index };
    const account = this.accounts.get(leg.account);
    if (account === undefined) throw new LedgerError('account_not_found', `No account ${leg.account}.`, where);
    if (account.currency === leg.currency) return;
    throw new LedgerError('currency_mismatch', `${leg.account} holds ${account.currency}.`, where);
  }

  private rejectionOf(legs: readonly Leg[]): RejectionReason | null {
    for (const leg of legs) {
      const { minBalance, maxBalance } = this.account(leg.account);
      const after = (this.posted.get(leg.account) ?? 0n) + leg.amount;
      if (leg.amount < 0n && minBalance !== null && after < minBalance) return 'insufficient_funds';
      if (leg.amount > 0n && maxBalance !== null && after > maxBalance) return 'balance_limit_exceeded';
    }
    return null;
  }

  private post(leg: Leg): Posting {
    const posted = (this.posted.get(leg.account) ?? 0n) + leg.amount;
    this.posted.set(leg.account, posted);
    return { ...leg, posted, held: 0n };
  }

  private writeStatements({ id, kind, postings, reference, createdAt, height }: TransactionView): void {
    for (const posting of postings as Posting[]) {
      const { account, ...balances } = posting;
      const line = { ...balances, transactionId: id, kind, reference, createdAt, book: 0, height, index: 0 };
      const lines = this.statements.get(account) ?? [];
      lines.push(line);
      this.statements.set(account, lines);
    }
  }
}

function found<T>(value: T | undefined, id: string): T {
  if (value === undefined) throw new PaymentsError('not_found', `There is no ${id}.`);
  return value;
}

function fingerprintOf(value: unknown): string {
  return JSON.stringify(value, (_key, part) => (typeof part === 'bigint' ? `${part}n` : (part ?? null)));
}

function paged<T>(
  newestFirst: T[],
  { limit, startingAfter, endingBefore }: PageQuery,
  idOf: (item: T) => string,
): Page<T> {
  const cursor = startingAfter ?? endingBefore;
  const at = newestFirst.findIndex((item) => idOf(item) === cursor);
  if (cursor !== undefined && at < 0)
    throw new PaymentsError('invalid_cursor', 'The cursor names no item of this list.');
  if (endingBefore === undefined) {
    const rest = newestFirst.slice(at + 1);
    return { data: rest.slice(0, limit), hasMore: rest.length > limit };
  }
  const rest = newestFirst.slice(0, at);
  return { data: rest.slice(-limit), hasMore: rest.length > limit };
}

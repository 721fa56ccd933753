/**
 * An honest, small `Payments` in memory, so that the HTTP room is tried without a database: it keeps balances, limits,
 * idempotency keys and pages. It counts its calls, so that a test can say that a refused request never got here.
 */
import { LedgerError } from '../../../src/ledger/errors.ts';
import type { Leg, Posting, RejectionReason } from '../../../src/ledger/types.ts';
import {
  type AccountChange,
  type AccountView,
  type Answer,
  type BalanceSums,
  type BalancesView,
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
  type StatementFilter,
  type StatementLine,
  type TransactionFilter,
  type TransactionView,
  type TrialBalanceRow,
} from '../../../src/payments/types.ts';
import { paymentViewOf } from '../../support/payment-view.ts';

const EPOCH_MS = Date.UTC(2026, 0, 31, 12);

export class MemoryPayments implements Payments {
  calls = 0;
  /** Thrown by the next calls while set. */
  failure: Error | null = null;
  lastFilter: PaymentFilter | null = null;
  lastLevel: number | undefined;
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
      status: 'open',
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

  async updateAccount(id: string, change: (account: AccountView) => AccountChange): Promise<AccountView> {
    this.called();
    const changed = { ...this.account(id), ...change(this.account(id)) };
    this.accounts.set(id, changed);
    return changed;
  }

  async listAccounts(page: PageQuery, prefix?: string): Promise<Page<AccountView>> {
    this.called();
    const all = [...this.accounts.values()];
    if (prefix === undefined) return paged(all.reverse(), page, (account) => account.id);
    const beginning = all.filter(({ id }) => id.startsWith(prefix)).sort((a, b) => (a.id < b.id ? -1 : 1));
    return paged(beginning, page, (account) => account.id);
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

  async balances(ids: readonly string[], at?: Date): Promise<BalancesView> {
    this.called();
    const known = ids.filter((id) => this.accounts.has(id));
    const balances = await Promise.all(known.map((id) => this.balance(id, at)));
    return { balances, unknown: [...new Set(ids)].filter((id) => !this.accounts.has(id)) };
  }

  async balanceSums(prefix: string, level?: number): Promise<BalanceSums> {
    this.called();
    this.lastLevel = level;
    const accounts = [...this.accounts.values()].filter(({ id }) => id.startsWith(prefix));
    if (accounts.length > 4) throw new PaymentsError('too_many_accounts', 'Too many.');
    const sums = accounts.map(({ id, currency }) => {
      const posted = this.posted.get(id) ?? 0n;
      return { prefix: id, currency, accounts: 1, posted, held: 0n, available: posted };
    });
    return { prefix, sums, asOf: new Date(EPOCH_MS) };
  }

  async statement(id: string, page: PageQuery, filter: StatementFilter = {}): Promise<Page<StatementLine>> {
    this.called();
    this.account(id);
    const lines = [...(this.statements.get(id) ?? [])].reverse().filter((line) => {
      const direction = line.amount < 0n ? 'debit' : 'credit';
      return isWithin(line, filter) && (filter.direction ?? direction) === direction;
    });
    return paged(lines, page, (line) => `${line.height}.${line.index}`);
  }

  async createPayment(request: CreatePayment, caller: Caller): Promise<Answer<PaymentView>> {
    this.called();
    return this.once(request, caller, () => {
      const { source, destination, amount, currency } = request;
      const legs = [
        { account: source, amount: -amount, currency },
        { account: destination!, amount, currency },
      ];
      const { id, status, rejectionReason, createdAt, height } = this.decide('payment', legs, request);
      const payment = paymentViewOf(request, {
        id: id.replace('txn_', 'pay_'),
        transactionId: id,
        status: status as PaymentView['status'],
        rejectionReason,
        createdAt,
        height,
      });
      this.payments.push(payment);
      return payment;
    });
  }

  changeAccount = (id: string) => this.absent(id);
  capturePayment = (id: string) => this.absent(id);
  cancelPayment = (id: string) => this.absent(id);
  refundPayment = (id: string) => this.absent(id);
  paymentTransactions = (id: string) => this.absent(id);
  reverseTransaction = (id: string) => this.absent(id);

  /** What happens to payments after they were made is tested on the real service. */
  private async absent(id: string): Promise<never> {
    this.called();
    throw new PaymentsError('not_found', `There is nothing ${id}.`);
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
        (filter.currency === undefined || payment.currency === filter.currency) &&
        (filter.amountFrom === undefined || payment.amount >= filter.amountFrom) &&
        (filter.amountTo === undefined || payment.amount <= filter.amountTo) &&
        Object.entries(filter.metadata ?? {}).every(([key, value]) => payment.metadata[key] === value) &&
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

  async listTransactions(page: PageQuery, filter: TransactionFilter = {}): Promise<Page<TransactionView>> {
    this.called();
    const { account } = filter;
    const matching = this.transactions.filter(
      (one) =>
        isWithin(one, filter) &&
        (account === undefined ||
          (one.status === 'posted' && one.postings.some((posting) => posting.account === account))),
    );
    return paged(matching.reverse(), page, (transaction) => transaction.id);
  }

  async books() {
    return [];
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
      about: null,
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

function isWithin(
  { kind, createdAt }: { kind: string; createdAt: Date },
  filter: Pick<TransactionFilter, 'kind' | 'createdFrom' | 'createdTo'>,
): boolean {
  const { createdFrom = createdAt, createdTo = createdAt } = filter;
  return (filter.kind ?? kind) === kind && createdFrom <= createdAt && createdAt <= createdTo;
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

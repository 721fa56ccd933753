import { createHash } from 'node:crypto';
import type { Ledger } from '../ledger/ledger.ts';
import type { Balance, Placed } from '../ledger/types.ts';
import { balanceSums, balancesOf } from './balances.ts';
import { changeCommand, paymentCommand, transactionCommand } from './commands.ts';
import { Gathering } from './gathering.ts';
import { LifeCycle } from './life-cycle.ts';
import { isOutside } from './outside.ts';
import { invalidCursor, pageOfPayment, statementPage, transactionsPage } from './pages.ts';
import type { AccountsStore, BalanceQueries, JournalQueries, OpenedAccount, PaymentsView } from './ports.ts';
import {
  type AccountChange,
  type AccountView,
  type Answer,
  type BalanceSums,
  type BalancesView,
  type BalanceView,
  type BookView,
  type Caller,
  type ChangeAccount,
  type Changed,
  type CreateAccount,
  type CreatePayment,
  type CreateTransaction,
  type Followed,
  type FollowPayment,
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
} from './types.ts';
import { paymentView, transactionView } from './views.ts';

export interface PaymentsDeps {
  readonly ledger: Ledger;
  readonly dryRun: Pick<Ledger, 'submit'>;
  readonly accounts: AccountsStore;
  readonly journal: JournalQueries;
  readonly balances: BalanceQueries;
  readonly view: PaymentsView;
  /** Number of books that new accounts are spread over. */
  readonly books: number;
}

/** What is needed of an account to say what it holds; null: it was never posted to. */
interface Tip {
  readonly currency: string;
  readonly balance: Balance | null;
}

/** Payments over a ledger and its journal. */
export class PaymentsService implements Payments {
  readonly lifeCycle: LifeCycle;
  readonly #tips = new Gathering((ids: readonly string[]) => this.#tipsOf(ids));

  constructor(readonly deps: PaymentsDeps) {
    this.lifeCycle = new LifeCycle(deps);
  }

  async createAccount(request: CreateAccount): Promise<{ account: AccountView; created: boolean }> {
    const hasNoFloor = isOutside(request.id);
    const wanted: AccountView = {
      id: request.id,
      currency: request.currency,
      book: bookOf(request.id, this.deps.books),
      status: 'open',
      minBalance: request.minBalance === undefined ? (hasNoFloor ? null : 0n) : request.minBalance,
      maxBalance: request.maxBalance ?? null,
      metadata: request.metadata ?? {},
      createdAt: new Date(),
    };
    const { account: opened, created } = await this.deps.accounts.insert(wanted);
    const { currency, minBalance, maxBalance } = opened;
    if (
      !created &&
      (currency !== wanted.currency || minBalance !== wanted.minBalance || maxBalance !== wanted.maxBalance)
    ) {
      throw new PaymentsError(
        'account_exists',
        `account ${request.id} exists already, with another currency or limits`,
      );
    }
    return { account: created ? opened : await this.getAccount(request.id), created };
  }

  async getAccount(id: string): Promise<AccountView> {
    const opened = (await this.deps.accounts.get(id)) ?? notFound('account', id);
    return (await this.#current([opened]))[0]!;
  }

  async updateAccount(id: string, change: (account: AccountView) => AccountChange): Promise<AccountView> {
    const current = async (opened: OpenedAccount) => (await this.#current([opened]))[0]!;
    const updated = await this.deps.accounts.update(id, async (opened) => change(await current(opened)));
    return current(updated ?? notFound('account', id));
  }

  async listAccounts(page: PageQuery, prefix?: string): Promise<Page<AccountView>> {
    const { data, hasMore } = (await this.deps.accounts.list(page, prefix)) ?? invalidCursor(page);
    return { data: await this.#current(data), hasMore };
  }

  /** With the status and the limits that the journal says. */
  async #current(opened: readonly OpenedAccount[]): Promise<AccountView[]> {
    const changed = opened.filter(({ mayHaveChanged }) => mayHaveChanged).map(({ id }) => id);
    const states = await this.deps.journal.accountStates(changed);
    return opened.map(({ mayHaveChanged: _, ...account }) => ({ ...account, ...states.get(account.id) }));
  }

  async changeAccount(id: string, change: ChangeAccount, caller: Caller): Promise<Answer<Changed>> {
    const account = await this.getAccount(id);
    const { entry, replayed } = await this.lifeCycle
      .ledgerOf(caller)
      .submit(changeCommand({ account: id, ...change }, caller));
    const { account: _, ...state } = entry.changed ?? { account: id };
    const rejectionReason = entry.rejection?.reason ?? null;
    return { value: { account: { ...account, ...state }, transactionId: entry.id, rejectionReason }, replayed };
  }

  async balance(id: string, at?: Date): Promise<BalanceView> {
    const asOf = at ?? new Date();
    const { currency, balance } = at ? await this.#balanceAt(id, at) : await this.#tips.submit(id);
    const { posted, held, height, at: since } = balance ?? { posted: 0n, held: 0n, height: 0, at: 0 };
    return { account: id, currency, posted, held, available: posted - held, height, at: since, asOf };
  }

  async #balanceAt(id: string, at: Date): Promise<Tip> {
    const { currency, book } = (await this.deps.accounts.get(id)) ?? notFound('account', id);
    const { journal } = this.deps;
    return { currency, balance: await journal.balanceAt(id, await journal.heightAt(book, at.getTime())) };
  }

  async #tipsOf(ids: readonly string[]): Promise<PromiseSettledResult<Tip>[]> {
    const asked = [...new Set(ids)];
    const [opened, balances] = await Promise.all([this.deps.accounts.find(asked), this.deps.journal.balances(asked)]);
    return Promise.allSettled(
      ids.map(async (id) => {
        const { currency } = opened.get(id) ?? notFound('account', id);
        return { currency, balance: balances.get(id) ?? null };
      }),
    );
  }

  async statement(id: string, page: PageQuery, filter: StatementFilter = {}): Promise<Page<StatementLine>> {
    return statementPage(this.deps.journal, await this.getAccount(id), filter, page);
  }

  balances(accounts: readonly string[], at?: Date): Promise<BalancesView> {
    return balancesOf(this.deps.balances, accounts, at);
  }

  balanceSums(prefix: string, level?: number): Promise<BalanceSums> {
    return balanceSums(this.deps.balances, prefix, level);
  }

  async createPayment(request: CreatePayment, caller: Caller): Promise<Answer<PaymentView>> {
    const outcome = await this.lifeCycle.ledgerOf(caller).submit(paymentCommand(request, caller));
    return { value: paymentView(outcome), replayed: outcome.replayed };
  }

  capturePayment(id: string, request: FollowPayment, caller: Caller): Promise<Answer<Followed>> {
    return this.lifeCycle.capture(id, request, caller);
  }

  cancelPayment(id: string, request: FollowPayment, caller: Caller): Promise<Answer<Followed>> {
    return this.lifeCycle.cancel(id, request, caller);
  }

  refundPayment(id: string, request: FollowPayment, caller: Caller): Promise<Answer<Followed>> {
    return this.lifeCycle.refund(id, request, caller);
  }

  async getPayment(id: string): Promise<PaymentView> {
    const { primary, latest } = await this.lifeCycle.standing(id);
    return paymentView(primary, latest);
  }

  async listPayments(filter: PaymentFilter, page: PageQuery): Promise<Page<PaymentView>> {
    const found = await this.deps.view.list(filter, page);
    if (found) return found;
    // What the view has not taken in yet, or is about to take in again, stands in the journal.
    const { startingAfter, endingBefore } = page;
    const cursor = await this.#findPayment(startingAfter ?? endingBefore!);
    return (cursor && (await this.deps.view.list(filter, page, cursor.createdAt))) ?? invalidCursor(page);
  }

  async paymentTransactions(id: string, page: PageQuery): Promise<Page<TransactionView>> {
    const { primary } = await this.lifeCycle.standing(id);
    return pageOfPayment(this.deps.journal, primary.entry.id, page);
  }

  async createTransaction(request: CreateTransaction, caller: Caller): Promise<Answer<TransactionView>> {
    const outcome = await this.lifeCycle.ledgerOf(caller).submit(transactionCommand(request, caller));
    return { value: transactionView([outcome]), replayed: outcome.replayed };
  }

  reverseTransaction(id: string, request: FollowPayment, caller: Caller): Promise<Answer<TransactionView>> {
    return this.lifeCycle.reverse(id, request, caller);
  }

  async getTransaction(id: string): Promise<TransactionView> {
    const parts = await this.#entries(id);
    return parts.length > 0 ? transactionView(parts) : notFound('transaction', id);
  }

  listTransactions(page: PageQuery, filter: TransactionFilter = {}): Promise<Page<TransactionView>> {
    return transactionsPage(this.deps, filter, page);
  }

  trialBalance(): Promise<TrialBalanceRow[]> {
    return this.deps.journal.trialBalance();
  }

  books(): Promise<BookView[]> {
    return this.deps.journal.tips();
  }

  async #findPayment(id: string): Promise<PaymentView | null> {
    return this.getPayment(id).catch((error: unknown) => {
      if (error instanceof PaymentsError && error.code === 'not_found') return null;
      throw error;
    });
  }

  #entries(id: string): Promise<Placed[]> {
    return this.deps.journal.findEntries([id]);
  }
}

/** The book of a new account. Only used at creation: the account keeps it when books are added later. */
function bookOf(id: string, books: number): number {
  if (books === 1) return 0;
  return createHash('sha256').update(id).digest().readUInt32BE(0) % books;
}

function notFound(what: string, id: string): never {
  throw new PaymentsError('not_found', `there is no ${what} ${id}`);
}

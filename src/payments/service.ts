import { createHash } from 'node:crypto';
import { primaryOf } from '../ledger/assemble.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { Placed } from '../ledger/types.ts';
import { paymentCommand, transactionCommand } from './commands.ts';
import type { AccountsStore, Direction, JournalQueries, PaymentsView } from './ports.ts';
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
} from './types.ts';
import { commandKind, paymentView, statementLine, transactionIdOf, transactionView } from './views.ts';

export interface PaymentsDeps {
  readonly ledger: Ledger;
  readonly accounts: AccountsStore;
  readonly journal: JournalQueries;
  readonly view: PaymentsView;
  /** Number of books that new accounts are spread over. */
  readonly books: number;
}

/** Payments over a ledger and its journal. */
export class PaymentsService implements Payments {
  constructor(readonly deps: PaymentsDeps) {}

  async createAccount(request: CreateAccount): Promise<{ account: AccountView; created: boolean }> {
    const isWorld = request.id.startsWith('world:');
    const wanted: AccountView = {
      id: request.id,
      currency: request.currency,
      book: bookOf(request.id, this.deps.books),
      minBalance: request.minBalance === undefined ? (isWorld ? null : 0n) : request.minBalance,
      maxBalance: request.maxBalance ?? null,
      metadata: request.metadata ?? {},
      createdAt: new Date(),
    };
    const { account, created } = await this.deps.accounts.insert(wanted);
    const { currency, minBalance, maxBalance } = account;
    if (
      !created &&
      (currency !== wanted.currency || minBalance !== wanted.minBalance || maxBalance !== wanted.maxBalance)
    ) {
      throw new PaymentsError(
        'account_exists',
        `account ${request.id} exists already, with another currency or limits`,
      );
    }
    return { account, created };
  }

  async getAccount(id: string): Promise<AccountView> {
    return (await this.deps.accounts.get(id)) ?? notFound('account', id);
  }

  async listAccounts(page: PageQuery): Promise<Page<AccountView>> {
    return (await this.deps.accounts.list(page)) ?? invalidCursor(page);
  }

  async balance(id: string, at?: Date): Promise<BalanceView> {
    const { currency, book } = await this.getAccount(id);
    const { journal } = this.deps;
    const asOf = new Date();
    const balance = at
      ? await journal.balanceAt(id, await journal.heightAt(book, at.getTime()))
      : (await journal.balances([id])).get(id);
    const { posted, held, height, at: since } = balance ?? { posted: 0n, held: 0n, height: 0, at: 0 };
    return { account: id, currency, posted, held, available: posted - held, height, at: since, asOf: at ?? asOf };
  }

  async statement(id: string, page: PageQuery): Promise<Page<StatementLine>> {
    await this.getAccount(id);
    const cursor = page.startingAfter ?? page.endingBefore;
    const from = cursor === undefined ? null : parseStatementCursor(cursor);
    return paged(page, async (direction, limit) => {
      const found = await this.deps.journal.entriesOf(id, from, direction, limit);
      return found.map((placed) => statementLine(id, placed));
    });
  }

  async createPayment(request: CreatePayment, caller: Caller): Promise<Answer<PaymentView>> {
    const outcome = await this.deps.ledger.submit(paymentCommand(request, caller));
    return { value: paymentView(outcome), replayed: outcome.replayed };
  }

  async getPayment(id: string): Promise<PaymentView> {
    const transactionId = transactionIdOf(id);
    const placed = transactionId === null ? undefined : primaryOf(await this.#entries(transactionId));
    if (!placed || commandKind(placed.entry) !== 'payment') return notFound('payment', id);
    return paymentView(placed);
  }

  async listPayments(filter: PaymentFilter, page: PageQuery): Promise<Page<PaymentView>> {
    return (await this.deps.view.list(filter, page)) ?? invalidCursor(page);
  }

  async createTransaction(request: CreateTransaction, caller: Caller): Promise<Answer<TransactionView>> {
    const outcome = await this.deps.ledger.submit(transactionCommand(request, caller));
    return { value: transactionView([outcome]), replayed: outcome.replayed };
  }

  async getTransaction(id: string): Promise<TransactionView> {
    const parts = await this.#entries(id);
    return primaryOf(parts) ? transactionView(parts) : notFound('transaction', id);
  }

  async listTransactions(page: PageQuery): Promise<Page<TransactionView>> {
    const cursor = page.startingAfter ?? page.endingBefore;
    const from = cursor === undefined ? null : await this.deps.journal.positionOf(cursor);
    if (cursor !== undefined && from === null) return invalidCursor(page);
    return paged(page, async (direction, limit) => {
      return this.#transactions(await this.deps.journal.entries(from, direction, limit));
    });
  }

  trialBalance(): Promise<TrialBalanceRow[]> {
    return this.deps.journal.trialBalance();
  }

  #entries(id: string): Promise<Placed[]> {
    return this.deps.journal.findEntries([id]);
  }

  /** Those that span books are completed by their other entries, all in one look-up. */
  async #transactions(primaries: readonly Placed[]): Promise<TransactionView[]> {
    const spanning = primaries.filter(({ entry }) => entry.span).map(({ entry }) => entry.id);
    const others = await this.deps.journal.findEntries(spanning);
    return primaries.map((primary) => {
      const { id, span } = primary.entry;
      return transactionView(span ? others.filter(({ entry }) => entry.id === id) : [primary]);
    });
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

function invalidCursor({ startingAfter, endingBefore }: PageQuery): never {
  throw new PaymentsError('invalid_cursor', `the cursor ${startingAfter ?? endingBefore} names nothing in this list`);
}

function parseStatementCursor(cursor: string): { height: number; index: number } {
  const match = /^([1-9]\d{0,14})\.(\d{1,6})$/.exec(cursor);
  if (!match) throw new PaymentsError('invalid_cursor', `the cursor ${cursor} names no line of a statement`);
  return { height: Number(match[1]), index: Number(match[2]) };
}

/** One more than asked for is read, to know whether there is more. Pages are always newest first. */
async function paged<T>(
  page: PageQuery,
  read: (direction: Direction, limit: number) => Promise<T[]>,
): Promise<Page<T>> {
  const direction = page.endingBefore === undefined ? 'older' : 'newer';
  const found = await read(direction, page.limit + 1);
  const data = found.slice(0, page.limit);
  return { data: direction === 'older' ? data : data.reverse(), hasMore: found.length > page.limit };
}

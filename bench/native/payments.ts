import type { Db } from 'mongodb';
import { LedgerError } from '../../src/ledger/errors.ts';
import type { Command } from '../../src/ledger/types.ts';
import { followingCommand, paymentCommand } from '../../src/payments/commands.ts';
import {
  type AccountView,
  type Answer,
  type BalancesView,
  type BalanceView,
  type Caller,
  type CreateAccount,
  type CreatePayment,
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
  type TrialBalanceRow,
} from '../../src/payments/types.ts';
import { NativeAccounts } from './accounts.ts';
import { type PaymentDocument, paymentView, type TransactionDocument } from './documents.ts';
import { NativeTransactions } from './transactions.ts';
import { type FollowKind, firstState, followWork, paymentWork, type Work } from './work.ts';

const TRIES_MAX = 100;
const NOTHING = { held: 0n, captured: 0n, refunded: 0n };

/**
 * Payments as a team would build them on MongoDB's multi-document transactions, for comparison with the ledger: the same
 * API, keys, limits and decisions, with majority writes that are on disk, snapshot reads and the driver's own retries.
 * Where there was a choice, it is the one that makes this faster:
 *
 * - A transaction is two round trips whatever it does: one update command and the commit. For that, accounts and
 *   transactions share a collection, and an upsert inserts. With an insert command before the updates, the same machine
 *   carried a third less.
 * - Key, answer, entries and payment of a request are one document. Nothing looks for a key beforehand: the unique index
 *   refuses the second one, whose answer is then read.
 * - What may be taken from an account is a field of its own, so that checking and taking are one update, without a read.
 *   Only what does not match is read, to decide what to say, in a transaction of its own.
 * - Accounts of the outside, which all top-ups take from, are spread over 32 documents each.
 * - Transactions of one process that touch the same account take turns. Left to conflict, abort and try again, they
 *   carried about an eighth on a hot account. Between processes it is left to the driver, which tries again. To end a
 *   turn before the majority has the commit, by a commit with w: 1 and another one, is a command more and brought nothing
 *   on two cores.
 * - At most 64 transactions run at once, of a pool of 100 connections.
 * - Statements have no running balances, which the ledger's have: each line shows the balance of now. Entries are in the
 *   order in which requests came in, which may differ from that of commits.
 */
export class NativePayments implements Payments {
  readonly accounts: NativeAccounts;
  readonly transactions: NativeTransactions;

  constructor(db: Db) {
    this.accounts = new NativeAccounts(db);
    this.transactions = new NativeTransactions(db, this.accounts);
  }

  createAccount(request: CreateAccount): Promise<{ account: AccountView; created: boolean }> {
    return this.accounts.create(request);
  }

  getAccount(id: string): Promise<AccountView> {
    return this.accounts.get(id);
  }

  async balance(account: string, at?: Date): Promise<BalanceView> {
    if (at) return unsupported();
    return this.accounts.balance(account);
  }

  async balances(accounts: readonly string[], at?: Date): Promise<BalancesView> {
    if (at) return unsupported();
    return this.accounts.balances(accounts);
  }

  trialBalance(): Promise<TrialBalanceRow[]> {
    return this.accounts.trialBalance();
  }

  async statement(account: string, page: PageQuery, filter: StatementFilter = {}): Promise<Page<StatementLine>> {
    return this.transactions.statement(await this.balance(account), filter, page);
  }

  async getPayment(id: string): Promise<PaymentView> {
    return paymentView(await this.transactions.payment(id));
  }

  async listPayments(filter: PaymentFilter, page: PageQuery): Promise<Page<PaymentView>> {
    const { amountFrom, amountTo, metadata } = filter;
    if (amountFrom !== undefined || amountTo !== undefined || metadata !== undefined) return unsupported();
    const { data, hasMore } = await this.transactions.listPayments(filter, page);
    return { data: data.map((document) => paymentView(document)), hasMore };
  }

  async createPayment(request: CreatePayment, caller: Caller): Promise<Answer<PaymentView>> {
    if (request.splits || request.expiresAt || caller.dryRun) return unsupported();
    const command = paymentCommand(request, caller);
    if (request.source === request.destination) {
      throw new LedgerError('invalid_command', 'an account cannot pay to itself', { account: request.source });
    }
    const { kept, replayed } = await this.#once(async () => paymentWork(command));
    const payment = kept as PaymentDocument;
    return { value: paymentView(payment, firstState(payment)), replayed };
  }

  capturePayment(id: string, request: FollowPayment, caller: Caller): Promise<Answer<Followed>> {
    return this.#follow('capture', id, request, caller);
  }

  cancelPayment(id: string, request: FollowPayment, caller: Caller): Promise<Answer<Followed>> {
    return this.#follow('cancel', id, request, caller);
  }

  refundPayment(id: string, request: FollowPayment, caller: Caller): Promise<Answer<Followed>> {
    return this.#follow('refund', id, request, caller);
  }

  async #follow(kind: FollowKind, id: string, request: FollowPayment, caller: Caller): Promise<Answer<Followed>> {
    if (caller.dryRun) return unsupported();
    let payment: PaymentDocument | undefined;
    let command: Command | undefined;
    const { kept, replayed } = await this.#once(async () => {
      payment = await this.transactions.payment(id);
      command ??= followingCommand(kind, request, caller, [], {
        book: 0,
        amount: 0n,
        origin: { id: payment._id, ...NOTHING },
      });
      return followWork(kind, payment, request, command);
    });
    const rejectionReason = kept.rejection ?? null;
    return {
      value: { payment: paymentView(payment!, kept.state), transactionId: kept._id, rejectionReason },
      replayed,
    };
  }

  /** Plans and carries out until something is kept under the key, which is the answer for ever. */
  async #once(plan: () => Promise<Work>): Promise<{ kept: TransactionDocument; replayed: boolean }> {
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      const work = await plan();
      const kept = await this.transactions.write(work);
      if (kept === null) continue;
      if (kept.fingerprint === work.document.fingerprint) return { kept, replayed: kept._id !== work.document._id };
      throw new LedgerError('idempotency_key_reused', 'the key was used before, with another request');
    }
    throw new LedgerError('overloaded', `others were faster ${TRIES_MAX} times; nothing was written`);
  }

  changeAccount = unsupported;
  updateAccount = unsupported;
  listAccounts = unsupported;
  balanceSums = unsupported;
  paymentTransactions = unsupported;
  createTransaction = unsupported;
  reverseTransaction = unsupported;
  getTransaction = unsupported;
  listTransactions = unsupported;
  books = unsupported;
}

async function unsupported(): Promise<never> {
  throw new PaymentsError('not_found', 'the native peer does not support this');
}

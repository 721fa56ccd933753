/** Views of the payments room as they are answered: snake_case, amounts as strings, times in RFC 3339. */
import type { z } from 'zod';
import type {
  AccountView,
  BalanceSums,
  BalancesView,
  BalanceView,
  BookView,
  Page,
  PaymentView,
  StatementLine,
  TransactionView,
  TrialBalanceRow,
} from '../payments/types.ts';
import type {
  accountResource,
  balanceResource,
  balanceSumsResource,
  balancesResource,
  bookResource,
  entryResource,
  paymentResource,
  transactionResource,
  trialBalanceRow,
} from './schemas.ts';

export function presentAccount(account: AccountView): z.output<typeof accountResource> {
  return {
    object: 'account',
    id: account.id,
    currency: account.currency,
    book: account.book,
    status: account.status,
    min_balance: account.minBalance === null ? null : String(account.minBalance),
    max_balance: account.maxBalance === null ? null : String(account.maxBalance),
    metadata: account.metadata,
    created_at: account.createdAt.toISOString(),
  };
}

export function presentBalance(balance: BalanceView): z.output<typeof balanceResource> {
  return {
    object: 'balance',
    account: balance.account,
    currency: balance.currency,
    posted: String(balance.posted),
    held: String(balance.held),
    available: String(balance.available),
    height: balance.height,
    as_of: balance.asOf.toISOString(),
  };
}

export function presentBalances({ balances, unknown }: BalancesView): z.output<typeof balancesResource> {
  return { object: 'balances', data: balances.map(presentBalance), unknown };
}

export function presentBalanceSums({ prefix, sums, asOf }: BalanceSums): z.output<typeof balanceSumsResource> {
  return {
    object: 'balance_sums',
    prefix,
    data: sums.map((sum) => ({
      prefix: sum.prefix,
      currency: sum.currency,
      accounts: sum.accounts,
      posted: String(sum.posted),
      held: String(sum.held),
      available: String(sum.available),
    })),
    as_of: asOf.toISOString(),
  };
}

export function presentEntry(line: StatementLine): z.output<typeof entryResource> {
  return {
    object: 'entry',
    id: `${line.height}.${line.index}`,
    transaction_id: line.transactionId,
    kind: line.kind,
    amount: String(line.amount),
    currency: line.currency,
    posted: String(line.posted),
    held: String(line.held),
    reference: line.reference,
    created_at: line.createdAt.toISOString(),
    book: line.book,
    height: line.height,
  };
}

export function presentPayment(payment: PaymentView): z.output<typeof paymentResource> {
  return {
    object: 'payment',
    id: payment.id,
    transaction_id: payment.transactionId,
    status: payment.status,
    rejection_reason: payment.rejectionReason,
    capture: payment.capture,
    source: payment.source,
    destination: payment.destination,
    splits: payment.splits.map(({ destination, amount }) => ({ destination, amount: String(amount) })),
    amount: String(payment.amount),
    amount_held: String(payment.amountHeld),
    amount_captured: String(payment.amountCaptured),
    amount_refunded: String(payment.amountRefunded),
    currency: payment.currency,
    expires_at: payment.expiresAt?.toISOString() ?? null,
    reference: payment.reference,
    description: payment.description,
    metadata: payment.metadata,
    created_at: payment.createdAt.toISOString(),
    updated_at: payment.updatedAt.toISOString(),
    last_transaction_id: payment.lastTransactionId,
    book: payment.book,
    height: payment.height,
  };
}

export function presentTransaction(transaction: TransactionView): z.output<typeof transactionResource> {
  return {
    object: 'transaction',
    id: transaction.id,
    kind: transaction.kind,
    status: transaction.status,
    rejection_reason: transaction.rejectionReason,
    about: transaction.about,
    postings: transaction.postings.map((posting) => ({
      account: posting.account,
      amount: String(posting.amount),
      currency: posting.currency,
      posted: 'posted' in posting ? String(posting.posted) : null,
      held: 'held' in posting ? String(posting.held) : null,
    })),
    reference: transaction.reference,
    description: transaction.description,
    metadata: transaction.metadata,
    created_at: transaction.createdAt.toISOString(),
    book: transaction.book,
    height: transaction.height,
  };
}

export function presentTrialBalance(row: TrialBalanceRow): z.output<typeof trialBalanceRow> {
  return {
    object: 'trial_balance_row',
    currency: row.currency,
    debit: String(row.debit),
    credit: String(row.credit),
    sum: String(row.sum),
    accounts: row.accounts,
  };
}

export function presentBook({ at, ...book }: BookView, leader: string | null): z.output<typeof bookResource> {
  return { object: 'book', ...book, at: at.toISOString(), leader };
}

/** `url` is the path of the list, without its query. */
export function presentList<View, Resource>(page: Page<View>, present: (view: View) => Resource, url: string) {
  return {
    object: 'list' as const,
    data: page.data.map(present),
    has_more: page.hasMore,
    url,
  };
}

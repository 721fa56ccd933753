import { assembled, primaryOf } from '../ledger/assemble.ts';
import type { Details, Entry, Leg, Placed, Posting } from '../ledger/types.ts';
import type { PlacedAt } from './ports.ts';
import type { PaymentView, StatementLine, TransactionView } from './types.ts';

const TRANSACTION = 'txn_';
const PAYMENT = 'pay_';

/** A payment and its transaction share a UUID; only the prefix differs. */
function paymentId(transactionId: string): string {
  return PAYMENT + transactionId.slice(TRANSACTION.length);
}

/** Null when it has not the form of a payment id. */
export function transactionIdOf(paymentId: string): string | null {
  return paymentId.startsWith(PAYMENT) ? TRANSACTION + paymentId.slice(PAYMENT.length) : null;
}

/** What kind of command the entry decided. */
export function commandKind(entry: Entry): TransactionView['kind'] {
  return entry.kind === 'rejected' ? entry.rejection!.kind : entry.kind;
}

/** What the whole command asks for; with balances where the entry is all of it. */
function legsOf({ rejection, span, postings }: Entry): readonly (Posting | Leg)[] {
  return rejection?.legs ?? span?.legs ?? postings;
}

function detailsOf({ reference, description, metadata }: Details) {
  return { reference: reference ?? null, description: description ?? null, metadata: { ...metadata } };
}

/**
 * The entry must describe a payment: exactly two legs, of which one takes. Over two books that is the debit: once it
 * stands nothing can stop the payment.
 */
export function paymentView({ entry, at, book, height }: Placed): PaymentView {
  const legs = legsOf(entry);
  const source = legs.find(({ amount }) => amount < 0n)!;
  const destination = legs.find(({ amount }) => amount > 0n)!;
  return {
    id: paymentId(entry.id),
    transactionId: entry.id,
    status: entry.rejection ? 'rejected' : 'posted',
    rejectionReason: entry.rejection?.reason ?? null,
    source: source.account,
    destination: destination.account,
    amount: destination.amount,
    currency: destination.currency,
    ...detailsOf(entry.details),
    createdAt: new Date(at),
    book,
    height,
  };
}

/** `parts`: all its entries. One of them must describe the whole. */
export function transactionView(parts: readonly Placed[]): TransactionView {
  const whole = assembled(parts);
  const { entry, at, book, height } = whole ?? primaryOf(parts)!;
  return {
    id: entry.id,
    kind: commandKind(entry),
    status: whole === null ? 'pending' : entry.rejection ? 'rejected' : 'posted',
    rejectionReason: entry.rejection?.reason ?? null,
    postings: legsOf(entry),
    ...detailsOf(entry.details),
    createdAt: new Date(at),
    book,
    height,
  };
}

/** The line of an account's statement; the entry must post to it. */
export function statementLine(account: string, { entry, at, book, height, index }: PlacedAt): StatementLine {
  const posting = entry.postings.find((one) => one.account === account)!;
  return {
    transactionId: entry.id,
    kind: commandKind(entry),
    amount: posting.amount,
    currency: posting.currency,
    posted: posting.posted,
    held: posting.held,
    reference: entry.details.reference ?? null,
    createdAt: new Date(at),
    book,
    height,
    index,
  };
}

import { assembled, primaryOf } from '../ledger/assemble.ts';
import { isSystemAccount } from '../ledger/crossing.ts';
import type { Details, Entry, Leg, Placed, Posting, Settlement } from '../ledger/types.ts';
import { paymentId } from './ids.ts';
import type { PlacedAt, SettledPayment } from './ports.ts';
import type { PaymentStatus, PaymentView, StatementLine, TransactionView } from './types.ts';

/** What kind of command the entry decided. */
export function commandKind(entry: Entry): TransactionView['kind'] {
  return entry.kind === 'rejected' ? entry.rejection!.kind : entry.kind;
}

/** What the whole command asks for, with balances where the entry is all of it; of a part what users know of it. */
export function legsOf({ rejection, span, legs, postings }: Entry): readonly (Posting | Leg)[] {
  const isPart = span !== undefined && span.legs === undefined;
  if (isPart && !rejection) return postings.filter(({ account }) => !isSystemAccount(account));
  return rejection?.legs ?? span?.legs ?? legs ?? postings;
}

function detailsOf({ reference, description, metadata }: Details) {
  return { reference: reference ?? null, description: description ?? null, metadata: { ...metadata } };
}

/**
 * The entry must describe a payment: one leg takes, all others give. Over several books that is the debit: once it
 * stands nothing can stop the payment. `latest`: the last entry that says how it is settled; null: there is none but
 * itself.
 */
export function paymentView(placed: Placed, latest: Placed | null = null): PaymentView {
  const { entry, at, book, height } = placed;
  const legs = legsOf(entry);
  const source = legs.find(({ amount }) => amount < 0n)!;
  const given = legs.filter(({ amount }) => amount > 0n);
  const amount = -source.amount;
  const last = latest ?? placed;
  const { held, captured, refunded } = last.entry.settlement ?? {
    held: 0n,
    captured: entry.rejection ? 0n : amount,
    refunded: 0n,
  };
  return {
    id: paymentId(entry.id),
    transactionId: entry.id,
    status: statusOf(entry, last.entry, { held, captured, refunded }),
    rejectionReason: entry.rejection?.reason ?? null,
    capture: isHold(entry) ? 'manual' : 'automatic',
    source: source.account,
    destination: given.length === 1 ? given[0]!.account : null,
    splits: given.length === 1 ? [] : given.map((leg) => ({ destination: leg.account, amount: leg.amount })),
    amount,
    amountHeld: held,
    amountCaptured: captured,
    amountRefunded: refunded,
    currency: source.currency,
    expiresAt: entry.settlement?.expiresAt === undefined ? null : new Date(entry.settlement.expiresAt),
    ...detailsOf(entry.details),
    createdAt: new Date(at),
    updatedAt: new Date(last.at),
    lastTransactionId: last.entry.id,
    book,
    height,
  };
}

/** Was nothing moved yet by the entry itself? A rejected one does not tell what was asked for. */
function isHold({ legs }: Entry): boolean {
  return legs !== undefined;
}

interface Amounts {
  readonly held: bigint;
  readonly captured: bigint;
  readonly refunded: bigint;
}

function statusOf(entry: Entry, last: Entry, { held, captured, refunded }: Amounts): PaymentStatus {
  if (entry.rejection) return 'rejected';
  return settledStatus(last, { held, captured, refunded }) ?? (isHold(entry) ? 'captured' : 'posted');
}

/** null: its money was moved; what that is called depends on how the payment was made. */
function settledStatus({ kind }: Entry, { held, captured, refunded }: Amounts): PaymentStatus | null {
  if (held > 0n) return 'authorized';
  if (captured === 0n) return kind === 'expiry' ? 'expired' : 'canceled';
  return refunded === captured ? 'refunded' : null;
}

/** What an entry that follows a payment makes of it. */
export function settledPayment(
  entry: Entry,
  settlement: Settlement,
  { at, height }: Pick<Placed, 'at' | 'height'>,
): SettledPayment {
  const { id, held, captured, refunded } = settlement;
  return {
    id: paymentId(id),
    status: settledStatus(entry, settlement),
    amountHeld: held,
    amountCaptured: captured,
    amountRefunded: refunded,
    updatedAt: new Date(at),
    lastTransactionId: entry.id,
    height,
  };
}

/** `parts`: all its entries, at least one. Until the one stands that describes the whole, it is as another has it. */
export function transactionView(parts: readonly Placed[]): TransactionView {
  const whole = assembled(parts);
  const { entry, at, book, height } = whole ?? primaryOf(parts) ?? parts[0]!;
  return {
    id: entry.id,
    kind: commandKind(entry),
    status: whole === null ? 'pending' : entry.rejection ? 'rejected' : 'posted',
    // Until all books have decided, the one whose reason counts may be missing.
    rejectionReason: whole?.entry.rejection?.reason ?? null,
    about: aboutOf(parts),
    postings: legsOf(entry),
    ...detailsOf(entry.details),
    createdAt: new Date(at),
    book,
    height,
  };
}

/** The payment or transaction that the entries are about; null: they are about none but themselves. */
function aboutOf(parts: readonly Placed[]): string | null {
  for (const { entry } of parts) {
    const id = entry.settlement?.id ?? entry.rejection?.follows;
    if (id === undefined || id === entry.id) continue;
    return commandKind(entry) === 'reversal' ? id : paymentId(id);
  }
  return null;
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

/** What requests are to do, planned by what is known before their transactions begin. */
import type { Command, RejectionReason } from '../../src/ledger/types.ts';
import type { FollowPayment, PaymentStatus } from '../../src/payments/types.ts';
import type { Change } from './accounts.ts';
import type { PaymentDocument, PaymentPlan, PaymentState, TransactionDocument } from './documents.ts';

/** All of it happens, or nothing. */
export interface Work {
  readonly document: TransactionDocument;
  /** None when it is rejected by what its payment is. */
  readonly changes: readonly Change[];
  /** Only of what follows a payment. */
  readonly settles?: Settles;
}

/** How a payment stood when this was planned, and how it stands afterwards. */
export interface Settles {
  /** The id of its transaction. */
  readonly payment: string;
  readonly before: PaymentState;
  readonly after: PaymentState;
}

export type FollowKind = 'capture' | 'cancel' | 'refund';

type Amounts = Pick<PaymentState, 'held' | 'captured' | 'refunded'>;

const NOTHING: Amounts = { held: 0n, captured: 0n, refunded: 0n };

export function paymentWork(command: Command): Work {
  const { id: _id, key, fingerprint, legs, details, hold } = command;
  const [source, destination] = legs as [Command['legs'][number], Command['legs'][number]];
  const { amount, currency } = destination;
  const payment: PaymentPlan = {
    source: source.account,
    destination: destination.account,
    amount,
    currency,
    capture: hold ? 'manual' : 'automatic',
  };
  const at = new Date();
  const state = firstState({ _id, at, payment });
  const document: TransactionDocument = {
    ...{ _id, key, fingerprint, kind: 'payment', at, accounts: legs.map(({ account }) => account) },
    // As in the ledger, a hold is an entry of nothing.
    postings: hold
      ? [{ account: source.account, amount: 0n }]
      : legs.map(({ account, amount }) => ({ account, amount })),
    ...details,
    payment,
    state,
  };
  const changes = changesBetween(payment, NOTHING, state);
  // Who gets nothing yet must be there all the same.
  if (hold) changes.push({ account: destination.account, currency, posted: 0n, held: 0n });
  return { document, changes };
}

export function followWork(
  kind: FollowKind,
  { _id: about, payment, state: before }: PaymentDocument,
  request: FollowPayment,
  { id, key, fingerprint, details }: Command,
): Work {
  const at = new Date();
  const document: TransactionDocument = {
    ...{ _id: id, key, fingerprint, kind, at, accounts: [], postings: [], ...details, about },
  };
  const amounts = amountsAfter(kind, payment, before, request);
  if (typeof amounts === 'string') return { document: { ...document, rejection: amounts }, changes: [] };
  const after: PaymentState = { status: statusOf(payment, amounts), ...amounts, at, by: id };
  const changes = changesBetween(payment, before, after);
  return {
    document: {
      ...document,
      accounts: changes.map(({ account }) => account),
      postings: changes.map(({ account, posted }) => ({ account, amount: posted })),
      state: after,
    },
    changes,
    settles: { payment: about, before, after },
  };
}

/** How a payment stood by its own transaction. */
export function firstState({
  _id,
  at,
  payment: { amount, capture },
  rejection,
}: Pick<PaymentDocument, '_id' | 'at' | 'payment' | 'rejection'>): PaymentState {
  if (rejection) return { status: 'rejected', ...NOTHING, at, by: _id };
  if (capture === 'manual') return { status: 'authorized', ...NOTHING, held: amount, at, by: _id };
  return { status: 'posted', ...NOTHING, captured: amount, at, by: _id };
}

/** As it is kept when balances were against it. */
export function rejectedDocument(document: TransactionDocument, rejection: RejectionReason): TransactionDocument {
  const { state: _, payment, ...kept } = document;
  const rejected = { ...kept, postings: [], rejection };
  return payment ? { ...rejected, payment, state: firstState({ ...rejected, payment }) } : rejected;
}

function amountsAfter(
  kind: FollowKind,
  { amount }: PaymentPlan,
  { held, captured, refunded }: Amounts,
  request: FollowPayment,
): Amounts | RejectionReason {
  if (kind === 'refund') {
    const open = captured - refunded;
    // When nothing is open any more: as if all of it were to be refunded, which is refused.
    const refund = request.amount ?? (open > 0n ? open : amount);
    return refund > open ? 'refund_exceeds_captured' : { held, captured, refunded: refunded + refund };
  }
  if (held === 0n) return 'nothing_held';
  if (kind === 'cancel') return { held: 0n, captured, refunded };
  const taken = request.amount ?? held;
  if (taken > held) return 'capture_exceeds_held';
  return { held: request.isLast ? 0n : held - taken, captured: captured + taken, refunded };
}

function statusOf({ capture }: PaymentPlan, { held, captured, refunded }: Amounts): PaymentStatus {
  if (held > 0n) return 'authorized';
  if (captured === 0n) return 'canceled';
  if (refunded === captured) return 'refunded';
  return capture === 'manual' ? 'captured' : 'posted';
}

function changesBetween({ source, destination, currency }: PaymentPlan, before: Amounts, after: Amounts): Change[] {
  const paid = after.captured - after.refunded - (before.captured - before.refunded);
  const held = after.held - before.held;
  const ofSource = { account: source, currency, posted: -paid, held };
  if (paid === 0n) return [ofSource];
  return [ofSource, { account: destination, currency, posted: paid, held: 0n }];
}

/** Events: what the ledger decided, for those outside who want to be told. Made from the journal alone, and always alike. */
import type { AccountState } from '../ledger/types.ts';
import type { AskedBy } from '../payments/callers.ts';
import type { PaymentView, TransactionView } from '../payments/types.ts';

export const EVENT_TYPES = [
  'payment.posted',
  'payment.authorized',
  'payment.rejected',
  'payment.captured',
  'payment.capture_rejected',
  'payment.canceled',
  'payment.cancel_rejected',
  'payment.expired',
  'payment.refunded',
  'payment.refund_rejected',
  'transaction.posted',
  'transaction.rejected',
  'transaction.reversed',
  'transaction.reversal_rejected',
  'account.changed',
] as const;
export type EventType = (typeof EVENT_TYPES)[number];

/** How an account is after a change of its status or limits. */
export interface AccountStateView extends AccountState {
  readonly account: string;
}

export type EventSubject =
  | { readonly kind: 'payment'; readonly payment: PaymentView }
  | { readonly kind: 'transaction'; readonly transaction: TransactionView }
  | { readonly kind: 'account_state'; readonly state: AccountStateView };

export interface EventView {
  /** `evt_` and the UUIDv7 of the transaction that it tells of: one event for each at most. */
  readonly id: string;
  readonly type: EventType;
  readonly createdAt: Date;
  readonly transactionId: string;
  readonly askedBy: AskedBy;
  /**
   * Events of one group are told in the order in which they happened: the account that gives, or the payment or
   * transaction itself where that is one of the outside, from which too much comes to stand in one line, or where it was
   * rejected and accounts of several books were to give.
   */
  readonly group: string;
  /** Whose money it is about. */
  readonly accounts: readonly string[];
  readonly book: number;
  readonly height: number;
  /** Place of the entry in its block, from 0. */
  readonly index: number;
  readonly subject: EventSubject;
}

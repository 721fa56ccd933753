/**
 * Events: what the ledger decided, for those outside who want to be told, made from the journal and always alike; and
 * notices of what was found beside it, which are kept in a log of their own.
 */
import type { AccountState } from '../ledger/types.ts';
import type { AskedBy } from '../payments/callers.ts';
import type { PaymentView, TransactionView } from '../payments/types.ts';
import type { BreakResource, ReconciliationResource } from '../resources/schemas.ts';

/** What is told of stands in streams: the books, which have the numbers below this one, and the log of notices. */
export const NOTICES = 256;

/** What no entry of the journal tells of. */
export const NOTICE_TYPES = [
  'reconciliation.completed',
  'reconciliation.break_opened',
  'reconciliation.break_resolved',
] as const;

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
  ...NOTICE_TYPES,
] as const;
export type EventType = (typeof EVENT_TYPES)[number];

/** How an account is after a change of its status or limits. */
export interface AccountStateView extends AccountState {
  readonly account: string;
}

/** What entries of the journal tell of. */
export type JournalSubject =
  | { readonly kind: 'payment'; readonly payment: PaymentView }
  | { readonly kind: 'transaction'; readonly transaction: TransactionView }
  | { readonly kind: 'account_state'; readonly state: AccountStateView };

/** Plain data in the form in which it is sent. */
export type NoticeSubject =
  | { readonly kind: 'reconciliation'; readonly reconciliation: ReconciliationResource }
  | { readonly kind: 'break'; readonly break: BreakResource };

export type EventSubject = JournalSubject | NoticeSubject;

export interface EventView {
  /**
   * `evt_` and the UUIDv7 of the transaction that it tells of: one event for each at most. Of a notice: and a UUID of
   * its own. They grow with the time at which things happened.
   */
  readonly id: string;
  readonly type: EventType;
  readonly createdAt: Date;
  /** Null: a notice that no transaction belongs to. */
  readonly transactionId: string | null;
  readonly askedBy: AskedBy;
  /**
   * Events of one group are told in the order in which they happened: the account that gives, or the payment or
   * transaction itself where that is one of the outside, from which too much comes to stand in one line, or where it was
   * rejected and accounts of several books were to give. Of a notice: the source that is reconciled.
   */
  readonly group: string;
  /** Whose money it is about. */
  readonly accounts: readonly string[];
  /** Null: a notice. */
  readonly book: number | null;
  /** Of the block in its stream. */
  readonly height: number;
  /** Place in its block, from 0. */
  readonly index: number;
  readonly subject: EventSubject;
}

/** What is to be told that no entry of the journal tells of. */
export type Notice = { readonly askedBy?: AskedBy | undefined } & (
  | { readonly type: 'reconciliation.completed'; readonly object: ReconciliationResource }
  | {
      readonly type: 'reconciliation.break_opened' | 'reconciliation.break_resolved';
      readonly object: BreakResource;
    }
);

/** A notice as it is kept. */
export type StoredNotice = Notice & { readonly id: string };

/** What was appended together. */
export interface NoticeBlock {
  /** From 1, without a gap. */
  readonly height: number;
  /** ms since the epoch; never less than that of the block below. */
  readonly at: number;
  readonly entries: readonly StoredNotice[];
}

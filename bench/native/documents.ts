/** What the peer keeps, and how it is seen. Amounts are int64 minor units. */
import type { CommandKind, RejectionReason } from '../../src/ledger/types.ts';
import { paymentId } from '../../src/payments/ids.ts';
import type { AccountView, BalanceView, PaymentStatus, PaymentView, StatementLine } from '../../src/payments/types.ts';

/** Holds accounts and transactions alike, so that one command can write all that a transaction does. */
export const LEDGER = 'ledger';

/** Account documents are those whose ids begin so. */
const ACCOUNT = 'account/';
export const ACCOUNT_IDS = { $gte: ACCOUNT, $lt: 'account0' } as const;

/** An account, or a part of one. */
export interface AccountDocument {
  /** Of the account: `account/` and its id. */
  _id: string;
  /** The id of the account, also of its parts. */
  account: string;
  currency: string;
  posted: bigint;
  held: bigint;
  /**
   * What may be taken until `min` is reached, and given until `max` is: Infinity where there is no limit, to which $inc
   * adds and with which filters compare. So one filter on one field is the whole check.
   */
  spendable: bigint | number;
  receivable: bigint | number;
  /** How many postings there were. */
  entries: bigint;
  min: bigint | null;
  max: bigint | null;
  metadata: Record<string, string>;
  created_at: Date;
}

export interface PaymentPlan {
  source: string;
  destination: string;
  amount: bigint;
  currency: string;
  capture: 'automatic' | 'manual';
}

/** How a payment stands. */
export interface PaymentState {
  status: PaymentStatus;
  held: bigint;
  captured: bigint;
  refunded: bigint;
  /** Since when, and by which transaction. */
  at: Date;
  by: string;
}

/** One document is all that a request writes beside balances: its key, its answer, its entries and its payment. */
export interface TransactionDocument {
  _id: string;
  key: string;
  fingerprint: string;
  kind: Extract<CommandKind, 'payment' | 'capture' | 'cancel' | 'refund'>;
  at: Date;
  /** In whose lists it stands. */
  accounts: string[];
  /** Empty when it was rejected. */
  postings: { account: string; amount: bigint }[];
  rejection?: RejectionReason;
  reference?: string;
  description?: string;
  metadata?: Record<string, string>;
  /** Only of a payment. */
  payment?: PaymentPlan;
  /** Of a payment: how it stands now. Of what follows one: how the payment stood after it. */
  state?: PaymentState;
  /** The payment that it follows. */
  about?: string;
}

/** Either of them. */
export type StoredDocument = { _id: string } & Partial<Omit<AccountDocument & TransactionDocument, '_id'>>;

export type PaymentDocument = TransactionDocument & Required<Pick<TransactionDocument, 'payment' | 'state'>>;

export function accountDocumentId(account: string): string {
  return ACCOUNT + account;
}

export function accountView({ account, currency, min, max, metadata, created_at }: AccountDocument): AccountView {
  const limits = { minBalance: min, maxBalance: max };
  return { id: account, currency, book: 0, status: 'open', ...limits, metadata, createdAt: created_at };
}

/** `parts`: at least one. */
export function balanceView(account: string, parts: readonly AccountDocument[], asOf: Date): BalanceView {
  const sum = (field: 'posted' | 'held' | 'entries') => parts.reduce((all, part) => all + part[field], 0n);
  const [posted, held] = [sum('posted'), sum('held')];
  const height = Number(sum('entries'));
  const { currency } = parts[0]!;
  return { account, currency, posted, held, available: posted - held, height, at: 0, asOf };
}

/** `state`: how it stood at another time than now. */
export function paymentView(document: PaymentDocument, state: PaymentState = document.state): PaymentView {
  const { _id, payment, rejection, at } = document;
  return {
    id: paymentId(_id),
    transactionId: _id,
    status: state.status,
    rejectionReason: rejection ?? null,
    ...payment,
    splits: [],
    amountHeld: state.held,
    amountCaptured: state.captured,
    amountRefunded: state.refunded,
    expiresAt: null,
    reference: document.reference ?? null,
    description: document.description ?? null,
    metadata: document.metadata ?? {},
    createdAt: at,
    updatedAt: state.at,
    lastTransactionId: state.by,
    book: 0,
    height: at.getTime(),
  };
}

/**
 * `now`: the balance of the account, which each of its lines shows: no entry keeps what it was then, as it would take two
 * round trips more within a transaction to learn it.
 */
export function statementLine(now: BalanceView, document: TransactionDocument): StatementLine {
  const { _id, kind, postings, reference, at } = document;
  return {
    transactionId: _id,
    kind,
    amount: postings.find((posting) => posting.account === now.account)!.amount,
    currency: now.currency,
    posted: now.posted,
    held: now.held,
    reference: reference ?? null,
    createdAt: at,
    book: 0,
    ...positionOf(_id),
  };
}

/** The UUIDv7 of a transaction as the two numbers of which cursors of statements are made: 48 bits and 52. */
function positionOf(id: string): { height: number; index: number } {
  const hex = id.slice('txn_'.length).replaceAll('-', '');
  return { height: Number.parseInt(hex.slice(0, 12), 16), index: Number.parseInt(hex.slice(13, 26), 16) };
}

/** How the id of the transaction begins that a cursor names; null: it is no cursor. */
export function idAt(cursor: string): string | null {
  const match = /^(\d{1,15})\.(\d{1,16})$/.exec(cursor);
  if (!match) return null;
  const [height, index] = [Number(match[1]), Number(match[2])].map((number) => number.toString(16));
  const hex = `${height!.padStart(12, '0')}7${index!.padStart(13, '0')}`;
  const groups = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)];
  return `txn_${groups.join('-')}`;
}

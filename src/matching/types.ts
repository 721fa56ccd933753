/**
 * The words of reconciliation. "Here" is the ledger, "there" is the statement.
 *
 * - **item**: one movement in the ledger that the other side is to know of.
 * - **line**: one movement that the other side's statement reports.
 * - **match**: lines and items that are the same money, the rule that says so, and how sure it is.
 * - **break**: a line, an item, or one of each, that do not agree. It stays open until it is settled or somebody resolves it.
 * - **source**: one other side: a bank account, or an account at a payment service provider.
 */
import type { CommandKind } from '../ledger/types.ts';
import type { Direction } from '../statements/types.ts';

/** One movement in the ledger. */
export interface LedgerItem {
  /** `txn_` and a UUIDv7: the transaction that moved it. */
  readonly id: string;
  /** Of the ledger's accounts that are compared, the one that it was posted to; null: the payment as such is compared. */
  readonly account: string | null;
  readonly kind: CommandKind;
  /** The payment that it is of; null: none. */
  readonly payment: string | null;
  /** What the other side may know it by; of a capture or refund, that of its payment unless it has its own. */
  readonly reference: string | null;
  /** What it was paid out together with, when the ledger knows it. */
  readonly group: string | null;
  /** Minor units, greater than zero. */
  readonly amount: bigint;
  readonly currency: string;
  /** As the other side sees it: `in`: they credited us. */
  readonly direction: Direction;
  /** When the ledger decided it, in milliseconds since the epoch. */
  readonly at: number;
}

/** Why a line or an item has no counterpart, or not the right one. */
export const CAUSES = [
  /** In the statement, not in the ledger. */
  'missing_here',
  /** In the ledger, and not in the statement of its day. */
  'missing_there',
  'amount_differs',
  /** Known by the same reference, in another currency: the amounts cannot be compared. */
  'currency_differs',
  /** The same in all but the date, further apart than the window. */
  'date_differs',
  /** In the ledger more often than in the statement. */
  'duplicate_here',
  /** In the statement more often than in the ledger. */
  'duplicate_there',
  /** In the ledger so shortly before the statement's end that the next one may have it. */
  'timing',
] as const;
export type Cause = (typeof CAUSES)[number];

export const RULES = [
  'reference',
  'reference_contained',
  'tolerance',
  'one_to_many',
  'many_to_one',
  'many_to_many',
  'amount_date',
] as const;
export type RuleName = (typeof RULES)[number];

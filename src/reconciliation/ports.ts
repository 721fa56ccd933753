/** What reconciliation needs of the world. `src/mongo` implements these over MongoDB; tests over memory. */
import type { Page, PageQuery, PaymentView } from '../payments/types.ts';
import type { ReconciliationItem } from './outcomes.ts';
import type { ReconciliationReport } from './reconcile.ts';

/** A posted payment, as far as a statement can be matched against it. */
export type MatchablePayment = Pick<
  PaymentView,
  'id' | 'reference' | 'amount' | 'currency' | 'source' | 'destination' | 'createdAt'
>;

export interface PostedPaymentsPort {
  /**
   * Payments with status `posted` and `from <= createdAt < to`, in any order. Complete: each that was posted before the
   * call is there. A read model that lags must catch up first, or what it lacks is reported as missing.
   */
  postedPayments(from: Date, to: Date): AsyncIterable<MatchablePayment>;
}

/** Keeps reports. `save` and `saveItems` are durable on a majority before they answer. */
export interface ReconciliationsPort {
  /** Inserts the report, or replaces the one with the same id. */
  save(report: ReconciliationReport): Promise<void>;
  /** Adds items to a report; called with up to 1,000 at a time, ascending by `position`. */
  saveItems(id: string, items: readonly ReconciliationItem[]): Promise<void>;
  get(id: string): Promise<ReconciliationReport | null>;
  /** Ascending by `position`; the cursors are positions as text. An unknown id has no items. */
  items(id: string, page: PageQuery): Promise<Page<ReconciliationItem>>;
}

import type { AnyBulkWriteOperation, Collection, Db } from 'mongodb';
import { paymentsIndexes } from '../../migrations/0004-list-indexes.ts';
import { heldUntilIndex } from '../../migrations/0005-settlements.ts';
import { labelsOf } from '../payments/labels.ts';
import type { PaymentsView, SettledPayment, ViewPosition } from '../payments/ports.ts';
import type { Page, PageQuery, PaymentFilter, PaymentView } from '../payments/types.ts';
import { Checkpoints } from './checkpoints.ts';
import { isOnlyDuplicates } from './duplicates.ts';
import { listPayments } from './payments-list.ts';

export const PAYMENTS = 'payments';

export type PaymentDocument = Omit<PaymentView, 'id'> & {
  _id: string;
  accounts: string[];
  labels?: bigint[];
  /** Height of the latest entry that it says something about it. */
  settledHeight: number;
};

/** The read model of payments. */
export class MongoPaymentsView implements PaymentsView {
  readonly #payments: Collection<PaymentDocument>;
  readonly #checkpoints: Checkpoints;

  constructor(readonly db: Db) {
    this.#payments = db.collection(PAYMENTS);
    this.#checkpoints = new Checkpoints(db, 'payments');
  }

  position(book: number): Promise<ViewPosition> {
    return this.#checkpoints.position(book);
  }

  async apply(
    book: number,
    from: ViewPosition,
    upTo: number,
    payments: readonly PaymentView[],
    settled: readonly SettledPayment[],
  ): Promise<void> {
    // Whoever dropped the collection dropped its indexes with it.
    if (from.height === 0) await Promise.all([paymentsIndexes(this.db), heldUntilIndex(this.db)]);
    if (payments.length > 0) {
      try {
        await this.#payments.insertMany(payments.map(documentOf), { ordered: false });
      } catch (error) {
        // Those that are there already were taken in before: a payment's block never changes.
        if (!isOnlyDuplicates(error)) throw error;
      }
    }
    if (settled.length > 0) await this.#payments.bulkWrite(settled.map(updateOf), { ordered: false });
    await this.#checkpoints.moveOn(book, from, upTo);
  }

  async heldUntil(time: Date, limit: number): Promise<string[]> {
    const overdue = { status: 'authorized' as const, expiresAt: { $lte: time } };
    const found = await this.#payments
      .find(overdue, { projection: { _id: 1 } })
      .sort({ expiresAt: 1 })
      .limit(limit)
      .toArray();
    return found.map(({ _id }) => _id);
  }

  clear(): Promise<void> {
    return this.#checkpoints.restart(() => this.#payments.deleteMany({}));
  }

  count(): Promise<number> {
    return this.#payments.countDocuments();
  }

  async list(filter: PaymentFilter, page: PageQuery, cursorAt?: Date): Promise<Page<PaymentView> | null> {
    const found = await listPayments(this.#payments, filter, page, cursorAt);
    return found && { ...found, data: found.data.map(viewOf) };
  }
}

function documentOf({ id, ...payment }: PaymentView): PaymentDocument {
  const { source, destination, splits, height, metadata } = payment;
  const destinations = destination === null ? splits.map((split) => split.destination) : [destination];
  return { _id: id, ...payment, accounts: [source, ...destinations], settledHeight: height, ...labelsOf(metadata) };
}

/** Only onto what an earlier block has left: taken in twice, or late, it changes nothing. */
function updateOf({ id, height, status, ...fields }: SettledPayment): AnyBulkWriteOperation<PaymentDocument> {
  const moved = { $cond: [{ $eq: ['$capture', 'manual'] }, 'captured', 'posted'] };
  return {
    updateOne: {
      filter: { _id: id, settledHeight: { $lt: height } },
      update: [{ $set: { ...fields, status: status ?? moved, settledHeight: { $literal: height } } }],
    },
  };
}

function viewOf({ _id, accounts: _, labels: __, settledHeight: ___, ...payment }: PaymentDocument): PaymentView {
  return { id: _id, ...payment };
}

import { type Collection, type Db, type Filter, MongoBulkWriteError } from 'mongodb';
import { up as createPaymentsView } from '../../migrations/0002-payments-view.ts';
import type { PaymentsView, ViewPosition } from '../payments/ports.ts';
import type { Page, PageQuery, PaymentFilter, PaymentView } from '../payments/types.ts';
import { Checkpoints } from './checkpoints.ts';

export const PAYMENTS = 'payments';

const DUPLICATE_KEY = 11000;

export type PaymentDocument = Omit<PaymentView, 'id'> & { _id: string; accounts: [string, string] };

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

  async apply(book: number, from: ViewPosition, upTo: number, payments: readonly PaymentView[]): Promise<void> {
    // Whoever dropped the collection dropped its indexes with it.
    if (from.height === 0) await createPaymentsView(this.db);
    if (payments.length > 0) {
      try {
        await this.#payments.insertMany(payments.map(documentOf), { ordered: false });
      } catch (error) {
        // Those that are there already were taken in before: a payment's block never changes.
        if (!isOnlyDuplicates(error)) throw error;
      }
    }
    await this.#checkpoints.moveOn(book, from, upTo);
  }

  clear(): Promise<void> {
    return this.#checkpoints.restart(() => this.#payments.deleteMany({}));
  }

  count(): Promise<number> {
    return this.#payments.countDocuments();
  }

  async list(filter: PaymentFilter, page: PageQuery): Promise<Page<PaymentView> | null> {
    const { limit, startingAfter, endingBefore } = page;
    const cursor = startingAfter ?? endingBefore;
    if (cursor !== undefined && (await this.#payments.countDocuments({ _id: cursor }, { limit: 1 })) === 0) return null;
    const newer = endingBefore !== undefined;
    const conditions: Filter<PaymentDocument>[] = [conditionOf(filter)];
    if (cursor !== undefined) conditions.push({ _id: newer ? { $gt: cursor } : { $lt: cursor } });
    const found = await this.#payments
      .find({ $and: conditions })
      .sort({ _id: newer ? 1 : -1 })
      .limit(limit + 1)
      .toArray();
    const data = found.slice(0, limit).map(viewOf);
    return { data: newer ? data.reverse() : data, hasMore: found.length > limit };
  }
}

function conditionOf({ status, account, reference, createdFrom, createdTo }: PaymentFilter): Filter<PaymentDocument> {
  return {
    ...(status === undefined ? {} : { status }),
    ...(account === undefined ? {} : { accounts: account }),
    ...(reference === undefined ? {} : { reference }),
    ...(createdFrom === undefined && createdTo === undefined
      ? {}
      : { createdAt: { ...(createdFrom && { $gte: createdFrom }), ...(createdTo && { $lte: createdTo }) } }),
  };
}

function documentOf({ id, ...payment }: PaymentView): PaymentDocument {
  return { _id: id, ...payment, accounts: [payment.source, payment.destination] };
}

function viewOf({ _id, accounts: _, ...payment }: PaymentDocument): PaymentView {
  return { id: _id, ...payment };
}

function isOnlyDuplicates(error: unknown): boolean {
  if (!(error instanceof MongoBulkWriteError)) return false;
  const errors = Array.isArray(error.writeErrors) ? error.writeErrors : [error.writeErrors];
  return errors.every(({ code }) => code === DUPLICATE_KEY) && error.result.getWriteConcernError() === undefined;
}

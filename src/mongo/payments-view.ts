import { type Collection, type Db, type Filter, MongoBulkWriteError, MongoServerError } from 'mongodb';
import { up as createPaymentsView } from '../../migrations/0002-payments-view.ts';
import type { PaymentsView } from '../payments/ports.ts';
import type { Page, PageQuery, PaymentFilter, PaymentView } from '../payments/types.ts';

export const PAYMENTS = 'payments';
const CHECKPOINTS = 'checkpoints';

const DUPLICATE_KEY = 11000;

export type PaymentDocument = Omit<PaymentView, 'id'> & { _id: string; accounts: [string, string] };

interface Checkpoint {
  _id: string;
  height: number;
}

/** The read model of payments; `checkpoints` says up to which height of each book it goes. */
export class MongoPaymentsView implements PaymentsView {
  readonly #payments: Collection<PaymentDocument>;
  readonly #checkpoints: Collection<Checkpoint>;

  constructor(readonly db: Db) {
    this.#payments = db.collection(PAYMENTS);
    this.#checkpoints = db.collection(CHECKPOINTS);
  }

  async apply(
    book: number,
    { above, upTo }: { above: number; upTo: number },
    payments: readonly PaymentView[],
  ): Promise<void> {
    // Whoever dropped the collection dropped its indexes with it.
    if (above === 0) await createPaymentsView(this.db);
    if (payments.length > 0) {
      try {
        await this.#payments.insertMany(payments.map(documentOf), { ordered: false });
      } catch (error) {
        // Those that are there already were taken in before: a payment's block never changes.
        if (!isOnlyDuplicates(error)) throw error;
      }
    }
    await this.#moveCheckpoint(book, above, upTo);
  }

  async clear(): Promise<void> {
    // First the checkpoints: what is taken in from now on only counts when it begins at the beginning.
    await this.#checkpoints.deleteMany({ _id: /^payments:/ });
    await this.#payments.deleteMany({});
    await this.#checkpoints.deleteMany({ _id: /^payments:/ });
  }

  /** Only on from where this view is complete: another may have cleared it meanwhile, or be further. */
  async #moveCheckpoint(book: number, above: number, upTo: number): Promise<void> {
    const reached = { _id: checkpointId(book), height: { $gte: above, $lt: upTo } };
    try {
      await this.#checkpoints.updateOne(reached, { $set: { height: upTo } }, { upsert: above === 0 });
    } catch (error) {
      // It is there, and further.
      if (!(error instanceof MongoServerError) || error.code !== DUPLICATE_KEY) throw error;
    }
  }

  async height(book: number): Promise<number> {
    const checkpoint = await this.#checkpoints.findOne({ _id: checkpointId(book) });
    return Number(checkpoint?.height ?? 0);
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

export function checkpointId(book: number): string {
  return `payments:${book}`;
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

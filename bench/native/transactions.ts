import {
  type AnyBulkWriteOperation,
  type ClientSession,
  type Collection,
  type Db,
  type Filter,
  MongoServerError,
} from 'mongodb';
import { transactionIdOf } from '../../src/payments/ids.ts';
import { isOutside } from '../../src/payments/outside.ts';
import {
  type BalanceView,
  type Page,
  type PageQuery,
  type PaymentFilter,
  PaymentsError,
  type StatementFilter,
  type StatementLine,
} from '../../src/payments/types.ts';
import { changeOperation, type NativeAccounts } from './accounts.ts';
import {
  idAt,
  LEDGER,
  type PaymentDocument,
  type StoredDocument,
  statementLine,
  type TransactionDocument,
} from './documents.ts';
import { Lanes } from './lanes.ts';
import { Limiter } from './limiter.ts';
import { rejectedDocument, type Settles, type Work } from './work.ts';

/** Below the size of the pool, so that none that has begun waits for a connection. */
const TRANSACTIONS_AT_ONCE = 64;
const DUPLICATE_KEY = 11_000;
const OPTIONS = {
  readConcern: { level: 'snapshot' },
  writeConcern: { w: 'majority', journal: true },
  readPreference: 'primary',
} as const;

/** Not all that was to be changed was as it had to be. */
class Mismatch extends Error {}

/** What was to be inserted stands already, by an attempt of whose commit nothing was heard. */
class Standing extends Error {}

/** Carries requests out, and reads what they have done. Each is one document, whose unique key makes it happen once. */
export class NativeTransactions {
  readonly collection: Collection<TransactionDocument>;
  readonly #ledger: Collection<StoredDocument>;
  readonly #lanes = new Lanes();
  readonly #limiter = new Limiter(TRANSACTIONS_AT_ONCE);

  constructor(
    readonly db: Db,
    readonly accounts: NativeAccounts,
  ) {
    this.collection = db.collection(LEDGER);
    this.#ledger = db.collection(LEDGER);
  }

  async createIndexes(): Promise<void> {
    await this.collection.createIndex({ key: 1 }, { unique: true, sparse: true });
    const ofTransactions = { accounts: { $exists: true } };
    await this.collection.createIndex({ accounts: 1, _id: -1 }, { partialFilterExpression: ofTransactions });
  }

  /**
   * Answers what is kept under the key: this, as carried out or rejected, or what was there before. Null: things have
   * changed meanwhile, and it must be planned again.
   */
  write(work: Work): Promise<TransactionDocument | null> {
    return this.db.client.withSession(async (session) => {
      try {
        return await this.#carryOut(work, session);
      } catch (error) {
        if (!(error instanceof Standing) && !isDuplicateKey(error)) throw error;
        // After the error in causal order, so that it sees what was in its way, and only once that is durable.
        return this.collection.findOne({ key: work.document.key }, { session });
      }
    });
  }

  async #carryOut(work: Work, session: ClientSession): Promise<TransactionDocument | null> {
    const { document, changes } = work;
    if (changes.length === 0) {
      await this.collection.insertOne(document, { session });
      return document;
    }
    try {
      await this.#transaction(work, session, async () => {
        const operations = operationsOf(work);
        const { matchedCount, upsertedCount } = await this.#ledger.bulkWrite(operations, { session });
        if (upsertedCount !== 1) throw new Standing();
        if (matchedCount !== operations.length - 1) throw new Mismatch();
      });
      return document;
    } catch (error) {
      if (error instanceof Mismatch) return this.#reject(work, session);
      throw error;
    }
  }

  /** Transactions of this process that would conflict take turns: each conflict aborts one, which tries again later. */
  #transaction<T>({ changes }: Work, session: ClientSession, body: () => Promise<T>): Promise<T> {
    const lanes = changes.map(({ account }) => account).filter((account) => !isOutside(account));
    return this.#lanes.run(lanes, () => this.#limiter.run(() => session.withTransaction(body, OPTIONS)));
  }

  /** Decides against it by the balances of one moment, if these are against it, and keeps that under its key. */
  #reject(work: Work, session: ClientSession): Promise<TransactionDocument | null> {
    const { document, changes, settles } = work;
    return this.#transaction(work, session, async () => {
      if (settles && !(await this.collection.findOne(unchanged(settles), { session }))) return null;
      const reason = await this.accounts.reasonAgainst(changes, session);
      if (reason === null) return null;
      const rejected = rejectedDocument(document, reason);
      await this.collection.insertOne(rejected, { session });
      return rejected;
    });
  }

  async payment(id: string): Promise<PaymentDocument> {
    const _id = transactionIdOf(id);
    const found = _id && (await this.collection.findOne({ _id, kind: 'payment' }));
    if (found) return found as PaymentDocument;
    throw new PaymentsError('not_found', `there is no payment ${id}`);
  }

  async listPayments(filter: PaymentFilter, page: PageQuery): Promise<Page<PaymentDocument>> {
    const { status, account, reference, currency, createdFrom, createdTo } = filter;
    const wanted: Filter<TransactionDocument> = {
      kind: 'payment',
      ...(account === undefined ? {} : { accounts: account }),
      ...(status === undefined ? {} : { 'state.status': status }),
      ...(reference === undefined ? {} : { reference }),
      ...(currency === undefined ? {} : { 'payment.currency': currency }),
      ...between(createdFrom, createdTo),
    };
    const found = await this.#page(wanted, page, transactionIdOf);
    return found as Page<PaymentDocument>;
  }

  async statement(now: BalanceView, filter: StatementFilter, page: PageQuery): Promise<Page<StatementLine>> {
    const { account: id } = now;
    const { kind, direction, createdFrom, createdTo } = filter;
    const amount = direction && { amount: direction === 'debit' ? { $lt: 0n } : { $gt: 0n } };
    const wanted: Filter<TransactionDocument> = {
      accounts: id,
      postings: { $elemMatch: { account: id, ...amount } },
      ...(kind === undefined ? {} : { kind: kind as TransactionDocument['kind'] }),
      ...between(createdFrom, createdTo),
    };
    const { data, hasMore } = await this.#page(wanted, page, idAt);
    return { data: data.map((document) => statementLine(now, document)), hasMore };
  }

  /** Newest first. One more than asked for is read, to know whether there is more. */
  async #page(
    filter: Filter<TransactionDocument>,
    { limit, startingAfter, endingBefore }: PageQuery,
    idOf: (cursor: string) => string | null,
  ): Promise<Page<TransactionDocument>> {
    const cursor = startingAfter ?? endingBefore;
    const id = cursor === undefined ? null : idOf(cursor);
    if (cursor !== undefined && id === null) {
      throw new PaymentsError('invalid_cursor', `the cursor ${cursor} names nothing in this list`);
    }
    const isUp = endingBefore !== undefined;
    // An id of which only the beginning is known is below all that have this beginning, and this with a g above them.
    const beyond = id === null ? {} : { _id: isUp ? { $gt: `${id}g` } : { $lt: id } };
    const found = await this.collection
      .find({ ...filter, ...beyond })
      .sort({ _id: isUp ? 1 : -1 })
      .limit(limit + 1)
      .toArray();
    const data = found.slice(0, limit);
    return { data: isUp ? data.reverse() : data, hasMore: found.length > limit };
  }
}

function isDuplicateKey(error: unknown): boolean {
  return error instanceof MongoServerError && error.code === DUPLICATE_KEY;
}

/** All of them updates, the first of which inserts: so they are one command. */
function operationsOf({ document, changes, settles }: Work): AnyBulkWriteOperation<StoredDocument>[] {
  const { _id, ...fields } = document;
  return [
    { updateOne: { filter: { _id }, update: { $setOnInsert: fields }, upsert: true } },
    ...(settles ? [{ updateOne: { filter: unchanged(settles), update: { $set: { state: settles.after } } } }] : []),
    ...changes.map(changeOperation),
  ];
}

/** The payment, if it is as it was. */
function unchanged({ payment, before }: Settles) {
  return { _id: payment, 'state.by': before.by };
}

function between(from: Date | undefined, to: Date | undefined): { at?: { $gte?: Date; $lte?: Date } } {
  if (from === undefined && to === undefined) return {};
  return { at: { ...(from && { $gte: from }), ...(to && { $lte: to }) } };
}

import type { AnyBulkWriteOperation, Db } from 'mongodb';
import { labelsOf } from '../src/payments/labels.ts';

const BACKFILL_AT_ONCE = 1_000;
/** Those of before lists were ordered by time. */
const REPLACED = ['status', 'account', 'reference'];

/**
 * Lists are ordered by time and id, and each filter has an index that ends in that order, so that a page is read where
 * it stands, whatever is asked for, and nothing is sorted. Each payment is written to each of them, hence no more than
 * one for each filter, and of several filters together one index serves and the rest is looked at:
 *
 * - payments without a reference or metadata are in no index for it (the one of before held all that had none);
 * - metadata is found by a number for each pair (`labels`): shorter than any text, and one index for all keys;
 * - amounts are the only ones asked for by range. Few within a range are found by their index and sorted; many are met
 *   soon enough in the order of time. The database tries both and takes the better.
 *
 * In the journal a block is in the index once for each kind of its entries, however many it holds; what was rejected is
 * one of these, whatever it asked for. A block of a thousand payments takes some 5 % longer to write for it.
 */
export async function up(db: Db): Promise<void> {
  await paymentsIndexes(db);
  await db.collection('journal').createIndex({ '_id.book': 1, 'entries.kind': 1, '_id.height': 1 }, { name: 'kind' });
  await labelPayments(db);
}

/** Also for whoever finds the collection dropped. */
export async function paymentsIndexes(db: Db): Promise<void> {
  const payments = db.collection('payments');
  const newest = { createdAt: -1, _id: -1 } as const;
  await payments.createIndexes([
    { key: newest, name: 'created' },
    { key: { status: 1, ...newest }, name: 'status_newest' },
    { key: { accounts: 1, ...newest }, name: 'account_newest' },
    {
      key: { reference: 1, ...newest },
      name: 'reference_newest',
      partialFilterExpression: { reference: { $gt: '' } },
    },
    { key: { labels: 1, ...newest }, name: 'label_newest', partialFilterExpression: { labels: { $exists: true } } },
    { key: { currency: 1, ...newest }, name: 'currency_newest' },
    { key: { amount: 1, ...newest }, name: 'amount_newest' },
    { key: { book: 1, height: 1 }, name: 'place' },
  ]);
  const names = new Set((await payments.indexes()).map(({ name }) => name));
  for (const name of REPLACED) if (names.has(name)) await payments.dropIndex(name);
}

interface Labelled {
  _id: string;
  metadata: Record<string, string>;
  labels?: bigint[];
}

async function labelPayments(db: Db): Promise<void> {
  const payments = db.collection<Labelled>('payments');
  const unlabelled = payments.find(
    { metadata: { $gt: {} }, labels: { $exists: false } },
    { projection: { metadata: 1 } },
  );
  let writes: AnyBulkWriteOperation<Labelled>[] = [];
  const write = async () => {
    if (writes.length > 0) await payments.bulkWrite(writes, { ordered: false });
    writes = [];
  };
  for await (const { _id, metadata } of unlabelled) {
    const set = { updateOne: { filter: { _id }, update: { $set: labelsOf(metadata) } } };
    if (writes.push(set) === BACKFILL_AT_ONCE) await write();
  }
  await write();
}

import type { Db } from 'mongodb';

/** The read model of payments, listed newest first (its ids grow with time) by each of its filters; API keys; reports. */
export async function up(db: Db): Promise<void> {
  await db.collection('payments').createIndexes([
    { key: { status: 1, _id: -1 }, name: 'status' },
    { key: { accounts: 1, _id: -1 }, name: 'account' },
    { key: { reference: 1, _id: -1 }, name: 'reference', sparse: true },
    { key: { createdAt: -1, _id: -1 }, name: 'created' },
    { key: { book: 1, height: 1 }, name: 'place' },
  ]);
  await db
    .collection('reconciliation_items')
    .createIndexes([{ key: { reconciliation: 1, position: 1 }, name: 'position', unique: true }]);
  await db.collection('api_keys').createIndexes([{ key: { name: 1 }, name: 'name' }]);
}

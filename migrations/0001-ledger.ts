import type { Db } from 'mongodb';

/**
 * The ledger: blocks, claims, accounts.
 *
 * The journal's `_id` is the lock of the append rule. Its second index serves lookups by entry; its third finds the
 * latest posting of an account in one seek (an account is in one book for ever, so the height alone orders them).
 */
export async function up(db: Db): Promise<void> {
  await db.collection('journal').createIndexes([
    { key: { 'entries.id': 1 }, name: 'entry' },
    { key: { 'entries.postings.account': 1, '_id.height': 1 }, name: 'account_height' },
  ]);
  await db.collection('idempotency').createIndexes([
    { key: { bucket: 1, keys: 1 }, name: 'key', unique: true },
    { key: { at: 1 }, name: 'pending', partialFilterExpression: { state: 'pending' } },
  ]);
  await db.collection('accounts').createIndexes([{ key: { created_at: -1, _id: -1 }, name: 'newest' }]);
}

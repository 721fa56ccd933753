import type { Db } from 'mongodb';

const DELIVERIES_KEPT_SECONDS = 30 * 24 * 3600;

/**
 * Finds what is to be delivered next to an endpoint, and lists its deliveries by what became of them; all of them stand in
 * the order of `_id`, which begins with the endpoint. Deliveries are forgotten after 30 days: the events are in the journal.
 */
export async function up(db: Db): Promise<void> {
  await db.collection('webhook_deliveries').createIndexes([
    {
      key: { endpoint: 1, nextAttemptAt: 1 },
      name: 'due',
      partialFilterExpression: { status: 'pending' },
    },
    { key: { endpoint: 1, status: 1, _id: -1 }, name: 'status' },
    { key: { taken: 1 }, name: 'taken', partialFilterExpression: { taken: { $exists: true } } },
    { key: { since: 1 }, name: 'kept', expireAfterSeconds: DELIVERIES_KEPT_SECONDS },
  ]);
}

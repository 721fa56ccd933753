import type { Db } from 'mongodb';

/**
 * Finds the claims that were made since a time, so that verification can look at what is new alone. It grows at its end,
 * and what becomes of a claim later does not touch it.
 */
export async function up(db: Db): Promise<void> {
  await db.collection('idempotency').createIndex({ at: 1 }, { name: 'made' });
}

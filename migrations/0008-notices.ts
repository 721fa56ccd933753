import type { Db } from 'mongodb';

/** Lets no part of a batch in twice, finds notices by the ids of their events, and finds where a time begins. */
export async function up(db: Db): Promise<void> {
  await db.collection('notices').createIndexes([
    { key: { batch: 1, part: 1 }, name: 'batch', unique: true },
    { key: { 'notices.id': 1 }, name: 'notice' },
    { key: { at: 1, _id: 1 }, name: 'at' },
  ]);
}

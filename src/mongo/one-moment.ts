import type { ClientSession, Db, Timestamp } from 'mongodb';
import { ACCOUNTS } from './accounts.ts';
import { readSession } from './client.ts';

/** Reads of one moment of the whole database. Durable on a majority, like all others. */
export interface OneMoment {
  readonly session: ClientSession;
  readonly readConcern: { readonly level: 'snapshot' };
}

/**
 * Runs reads that all see one moment: not before anything that this process has read or appended, whatever primary there
 * was then. The driver keeps the time of a snapshot to itself, and takes it from the first read unless it is set.
 */
export async function atOneMoment<T>(db: Db, read: (moment: OneMoment) => Promise<T>): Promise<T> {
  const causal = readSession(db.client);
  // Any read tells what time it is: one that is long past can no longer be read at.
  await db.collection(ACCOUNTS).findOne({}, { projection: { _id: 1 }, session: causal });
  const session: ClientSession & { snapshotTime?: Timestamp } = db.client.startSession({ snapshot: true });
  if (causal.operationTime) session.snapshotTime = causal.operationTime;
  try {
    return await read({ session, readConcern: { level: 'snapshot' } });
  } finally {
    await session.endSession();
  }
}

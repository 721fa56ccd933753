import { createRequire } from 'node:module';
import { type Db, MongoServerError, type Timestamp } from 'mongodb';
import { DUPLICATE_KEY } from './duplicates.ts';

/** The driver's own carrier of documents that are BSON already. Not public: pinned with the driver's version, and tested. */
interface DocumentSequence {
  push(document: object, bytes: Uint8Array): number;
}
const { DocumentSequence } = createRequire(import.meta.url)('mongodb/lib/cmap/commands.js') as {
  DocumentSequence: new (field: string) => DocumentSequence;
};

/**
 * How an ordered insert ended: `landed` documents, from the first, are durable on a majority.
 * `duplicate`: the next one met a key that exists. `unknown`: nothing is known from the next one on.
 */
export interface InsertResult {
  readonly landed: number;
  readonly ended: 'done' | 'duplicate' | 'unknown';
  readonly cause?: unknown;
  /** When this was so: what is durable up to here holds the landed documents and the key that was met. */
  readonly durableAt?: Timestamp;
}

/**
 * Inserts documents given as BSON, in order, durably on a majority. It never retries and never throws: whatever is not
 * a plain success or a duplicate key is `unknown`, and the caller has a way to make it known.
 */
export async function insertRaw(
  db: Db,
  collection: string,
  documents: readonly Uint8Array[],
  timeoutMs: number,
): Promise<InsertResult> {
  const sequence = new DocumentSequence('documents');
  for (const bytes of documents) sequence.push({}, bytes);
  const writeConcern = { w: 'majority', j: true, wtimeout: timeoutMs };
  try {
    const answer = await db.command({ insert: collection, ordered: true, writeConcern, documents: sequence });
    return resultOf(answer as InsertAnswer, documents.length);
  } catch (cause) {
    return { landed: 0, ended: 'unknown', cause };
  }
}

interface InsertAnswer {
  n: number;
  writeErrors?: { index: number; code: number; errmsg: string }[];
  writeConcernError?: { errmsg: string };
  operationTime?: Timestamp;
}

function resultOf(answer: InsertAnswer, count: number): InsertResult {
  if (answer.writeConcernError)
    return { landed: 0, ended: 'unknown', cause: new MongoServerError(answer.writeConcernError) };
  const error = answer.writeErrors?.[0];
  const durable = answer.operationTime ? { durableAt: answer.operationTime } : {};
  if (!error) {
    if (answer.n !== count) return { landed: 0, ended: 'unknown', cause: answer };
    return { landed: count, ended: 'done', ...durable };
  }
  if (error.code === DUPLICATE_KEY) return { landed: error.index, ended: 'duplicate', ...durable };
  return { landed: error.index, ended: 'unknown', cause: new MongoServerError(error) };
}

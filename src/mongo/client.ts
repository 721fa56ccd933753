import { type ClientSession, MongoClient, type MongoClientOptions } from 'mongodb';
import { repairDriver } from './driver-repair.ts';

/** How long the server may work on a majority write before it says that it cannot tell, in ms. */
export const WRITE_TIMEOUT_MS = 8_000;

/**
 * The settings that safety needs, in one place: majority writes that are on disk, majority reads from the primary,
 * 64-bit integers as bigint, and an early notice of members that do not answer.
 */
const SAFE_OPTIONS = {
  useBigInt64: true,
  writeConcern: { w: 'majority', journal: true, wtimeoutMS: WRITE_TIMEOUT_MS },
  readConcern: { level: 'majority' },
  readPreference: 'primary',
  retryWrites: true,
  retryReads: true,
  serverSelectionTimeoutMS: 5_000,
  connectTimeoutMS: 4_000,
  heartbeatFrequencyMS: 1_000,
  socketTimeoutMS: 20_000,
  // Without it whoever waits for a connection that nobody gives back waits for ever.
  waitQueueTimeoutMS: 10_000,
  ignoreUndefined: true,
} satisfies MongoClientOptions;

/** Connections to each member, unless the URI says otherwise: the driver would put an option before that. */
const POOL_MAX = 32;

/** One client a process. */
export function createClient(uri: string, options: MongoClientOptions = {}): MongoClient {
  repairDriver();
  const pool = /[?&]maxPoolSize=/i.test(uri) ? {} : { maxPoolSize: POOL_MAX };
  return new MongoClient(uri, { appName: 'kvitt', ...SAFE_OPTIONS, ...pool, ...options });
}

const readSessions = new WeakMap<MongoClient, ClientSession>();

/**
 * The session for all reads of the journal by this process. A new primary may for a while know less to be durable than
 * the old one did: a plain majority read there can go back behind what was read or written before, and a decision on it
 * would be wrong. In this session every read sees at least what the reads before it saw, and what was appended before
 * it: `append` moves it on. Not for writes: one session cannot number those that run side by side.
 */
export function readSession(client: MongoClient): ClientSession {
  let session = readSessions.get(client);
  if (!session || session.hasEnded) {
    session = client.startSession({ causalConsistency: true });
    readSessions.set(client, session);
  }
  return session;
}

/** What the ladder needs of the ledger, put together. */
import { randomBytes } from 'node:crypto';
import type { Document, MongoClient } from 'mongodb';
import { environmentOf, readConfig } from '../config.ts';
import type { Environment, LadderDatabase, LadderParts } from '../ladder/parts.ts';
import { ACCOUNTS, accountId } from '../ladder/payment-request.ts';
import type { MemberStatus } from '../ladder/sources.ts';
import type { Log } from '../ledger/ports.ts';
import { MongoAccounts } from '../mongo/accounts.ts';
import { createClient } from '../mongo/client.ts';
import { startEmbeddedReplicaSet } from '../mongo/embedded.ts';
import { freePorts } from '../mongo/free-ports.ts';
import { migrateUp } from '../mongo/migrate.ts';
import type { Place } from '../mongo/mongod-process.ts';
import type { InnerPlan } from './ladder-inner-process.ts';

/** Payments can take as much as they like: none is ever rejected. */
const MIN_BALANCE = -1_000_000_000_000n;
const ASK_MS_MAX = 2_000;

export interface LadderSetup {
  readonly environment: Environment;
  readonly log: Log;
  /** A replica set that runs; null: one is started, and its data thrown away afterwards. */
  readonly uri?: string | null;
  /** Where each member of one that is started runs. */
  readonly places?: readonly Place[];
  /** Of the service, by their names: what bounds it, such as QUEUE_COMMANDS_MAX. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Options of the service's MONGODB_URI, such as `maxPoolSize=10`. */
  readonly uriOptions?: string;
  /** The command that runs the service; empty: nothing does. */
  readonly serviceWithin?: readonly string[];
}

export function ladderParts(setup: LadderSetup): LadderParts {
  const { environment, settings = {} } = setup;
  return {
    environment,
    programs: {
      http: new URL('./ladder-http-process.ts', import.meta.url),
      validation: new URL('./ladder-validation-process.ts', import.meta.url),
      inner: new URL('./ladder-inner-process.ts', import.meta.url),
      service: new URL('../cli.ts', import.meta.url),
    },
    serviceWithin: setup.serviceWithin ?? [],
    inFlightMax: readConfig(settings).QUEUE_COMMANDS_MAX,
    startDatabase: () => startDatabase(setup),
    freePorts,
  };
}

async function startDatabase(setup: LadderSetup): Promise<LadderDatabase> {
  const { log, uri: running = null, places } = setup;
  if (running !== null) return openDatabase(setup, running, async () => undefined);
  const set = await startEmbeddedReplicaSet({ dataDir: null, log, ...(places === undefined ? {} : { places }) });
  try {
    return await openDatabase(setup, set.uri, () => set.stop());
  } catch (error) {
    await set.stop();
    throw error;
  }
}

async function openDatabase(setup: LadderSetup, uri: string, stop: () => Promise<void>): Promise<LadderDatabase> {
  const run = randomBytes(4).toString('hex');
  const client = await createClient(uri).connect();
  const hosts = client.options.hosts.map(String);
  const members = hosts.map((host) => createClient(`mongodb://${host}/?directConnection=true`));
  const prepared: string[] = [];
  const { uriOptions, settings = {}, environment } = setup;
  return {
    prepare: async (name) => {
      prepared.push(`${name}_${run}`);
      await prepare(client, `${name}_${run}`);
    },
    status: () => Promise.all(members.map(memberStatus)),
    innerPlan: ({ engine, database }) => {
      return JSON.stringify({ uri, engine: `${engine}_${run}`, database: `${database}_${run}` } satisfies InnerPlan);
    },
    serviceEnvironment: (database) => {
      const options = uriOptions === undefined ? '' : `${uri.includes('?') ? '&' : '?'}${uriOptions}`;
      const own = { ...settings, MONGODB_URI: `${uri}${options}`, MONGODB_DATABASE: `${database}_${run}` };
      // Every other setting is as it is by default: no queue is consumed, and no cell joined, that is in use here.
      return environmentOf(readConfig(own), environment);
    },
    close: async () => {
      for (const name of prepared) await client.db(name).dropDatabase();
      await Promise.all([client, ...members].map((one) => one.close()));
      await stop();
    },
  };
}

async function prepare(client: MongoClient, name: string): Promise<void> {
  const db = client.db(name);
  await migrateUp(db);
  const limits = { min_balance: MIN_BALANCE, max_balance: null };
  await new MongoAccounts(db).collection.insertMany(
    Array.from({ length: ACCOUNTS }, (_, number) => {
      const created_at = new Date();
      return { _id: accountId(number), book: 0, currency: 'EUR', ...limits, metadata: {}, created_at };
    }),
  );
}

async function memberStatus(client: MongoClient, index: number): Promise<MemberStatus> {
  const signal = AbortSignal.timeout(ASK_MS_MAX);
  const status = await client.db('admin').command({ serverStatus: 1, repl: 1 }, { signal });
  const { opLatencies, wiredTiger, globalLock, connections, repl, flowControl } = status;
  const { out, available } = status.queues?.execution?.write ?? wiredTiger.concurrentTransactions.write;
  const log = wiredTiger.log;
  const { 'maximum bytes configured': cacheBytes, 'tracked dirty bytes in the cache': dirtyBytes } = wiredTiger.cache;
  return {
    name: repl.isWritablePrimary ? 'mongod primary' : `mongod secondary ${index + 1}`,
    pid: Number(status.pid),
    writes: Number(opLatencies.writes.ops),
    writeUs: Number(opLatencies.writes.latency),
    logSyncs: Number(log['log sync operations']),
    logSyncUs: Number(log['log sync time duration (usecs)']),
    ticketsOut: Number(out),
    ticketsLeft: Number(available),
    queued: Number(globalLock.currentQueue.total),
    connections: Number(connections.current),
    dirtyShare: Number(dirtyBytes) / Number(cacheBytes),
    lagMs: lagMs(repl),
    isHeldBack: Boolean(flowControl?.isLagged),
  };
}

/** How far what is durable on a majority is behind what this member has applied. */
function lagMs({ lastWrite }: Document): number {
  return Math.max(0, Number(lastWrite?.lastWriteDate ?? 0) - Number(lastWrite?.majorityWriteDate ?? 0));
}

import { join } from 'node:path';
import type { Db, MongoClient } from 'mongodb';
import type { Logger } from 'pino';
import { actor } from '../actor.ts';
import type { Config } from '../config.ts';
import { auditMigration } from '../mongo/audit-log.ts';
import { createClient } from '../mongo/client.ts';
import { requireSafeDeployment } from '../mongo/deployment.ts';
import { runningEmbeddedUri, startEmbeddedReplicaSet } from '../mongo/embedded.ts';
import { migrateUp } from '../mongo/migrate.ts';
import { type PoolFigures, watchPool } from '../mongo/pool-watch.ts';
import { Closers } from './closers.ts';

export interface Storage {
  readonly client: MongoClient;
  readonly db: Db;
  readonly pool: PoolFigures;
  /** Is the replica set one of our own? */
  readonly embedded: boolean;
  close(): Promise<void>;
}

/**
 * Connects to the database of the settings, and refuses one that cannot keep money safe. If none is named: to the
 * embedded one that a running service has, when `share` is set, or else to one started here.
 */
export async function connectStorage(config: Config, log: Logger, { share }: { share: boolean }): Promise<Storage> {
  const closers = new Closers();
  try {
    const dataDir = join(config.DATA_DIR, 'mongodb');
    let uri = config.MONGODB_URI ?? (share ? await runningEmbeddedUri(dataDir) : null);
    if (uri === null) {
      log.info('MONGODB_URI is not set: starting an embedded replica set of three members');
      const set = await startEmbeddedReplicaSet({ dataDir, log });
      closers.add(() => set.stop());
      uri = set.uri;
    }
    const client = createClient(uri);
    const pool = watchPool(client);
    closers.add(() => client.close());
    await client.connect();
    await requireSafeDeployment(client, config.MONGODB_DATABASE);
    const db = client.db(config.MONGODB_DATABASE);
    return { client, db, pool, embedded: config.MONGODB_URI === undefined, close: () => closers.closeAll(log) };
  } catch (error) {
    await closers.closeAll(log);
    throw error;
  }
}

/** {@link connectStorage}, and brings the schema up. */
export async function openStorage(config: Config, log: Logger, options: { share: boolean }): Promise<Storage> {
  const storage = await connectStorage(config, log, options);
  try {
    const applied = await migrateUp(storage.db);
    if (applied.length > 0) log.info({ applied }, 'migrations applied');
    await auditMigration(storage.db, actor(), applied);
    return storage;
  } catch (error) {
    await storage.close();
    throw error;
  }
}

/** The only place that wires: from settings to a running service, and back. */
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import type { Db, MongoClient } from 'mongodb';
import type { Logger } from 'pino';
import type { Config } from './config.ts';
import { buildApp } from './http/app.ts';
import { CachingAuthenticator, generateApiKey, hashApiKey } from './http/auth.ts';
import { type HealthPort, type HttpSettings, SCOPES } from './http/ports.ts';
import type { ReconcileDeps } from './jobs/reconcile.ts';
import { Reconciliations } from './jobs/reconciliations.ts';
import { ReconciliationViews } from './jobs/views.ts';
import { Engine } from './ledger/engine.ts';
import { Metrics } from './metrics.ts';
import { MongoAccounts } from './mongo/accounts.ts';
import { MongoAccountsStore } from './mongo/accounts-store.ts';
import { MongoApiKeys } from './mongo/api-keys.ts';
import { MongoAudit } from './mongo/audit.ts';
import { MongoBalanceSnapshots } from './mongo/balance-snapshots.ts';
import { MongoClaims } from './mongo/claims.ts';
import { createClient } from './mongo/client.ts';
import { requireSafeDeployment } from './mongo/deployment.ts';
import { runningEmbeddedUri, startEmbeddedReplicaSet } from './mongo/embedded.ts';
import { withFaultsNamed } from './mongo/faults.ts';
import { MongoJournalQueries } from './mongo/journal-queries.ts';
import { migrateUp } from './mongo/migrate.ts';
import { MongoPaymentsView } from './mongo/payments-view.ts';
import { MongoReconciliations } from './mongo/reconciliations-store.ts';
import { Follower } from './payments/follower.ts';
import { PaymentsProjection } from './payments/payments-projection.ts';
import { PaymentsService } from './payments/service.ts';
import { createSqsClient } from './queue/client.ts';
import { Consumer } from './queue/consumer.ts';
import { DEAD_LETTER_QUEUE, EVENTS_QUEUE, startEmbeddedSqs } from './queue/embedded.ts';
import { VERSION } from './version.ts';

const MIB = 1 << 20;
const READINESS_MS_MAX = 2_000;
const PAYMENTS_POLL_MS = 200;
/** Of all postings to an account meanwhile only the last one is written. */
const BALANCES_POLL_MS = 5_000;
const BALANCES_REST = 3;
const EMBEDDED_SQS_WAIT_SECONDS_MAX = 1;

/** Things to end, in the reverse order of how they were begun. */
class Closers {
  readonly #closers: (() => Promise<unknown>)[] = [];

  add(close: () => Promise<unknown>): void {
    this.#closers.push(close);
  }

  async closeAll(log: Logger): Promise<void> {
    for (let close = this.#closers.pop(); close !== undefined; close = this.#closers.pop()) {
      await close().catch((error: unknown) => log.error({ err: error }, 'a part did not end cleanly'));
    }
  }
}

export interface Storage {
  readonly client: MongoClient;
  readonly db: Db;
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
    closers.add(() => client.close());
    await client.connect();
    await requireSafeDeployment(client, config.MONGODB_DATABASE);
    const db = client.db(config.MONGODB_DATABASE);
    return { client, db, embedded: config.MONGODB_URI === undefined, close: () => closers.closeAll(log) };
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
    return storage;
  } catch (error) {
    await storage.close();
    throw error;
  }
}

/** The ledger over a database; not started. */
export function createEngine(config: Config, db: Db, log: Logger): Engine {
  return new Engine({
    journal: new MongoJournalQueries(db),
    claims: new MongoClaims(db),
    accounts: new MongoAccounts(db),
    log,
    limits: {
      accountsInMemoryMax: config.ACCOUNTS_IN_MEMORY,
      inFlightCommandsMax: config.QUEUE_COMMANDS_MAX,
      inFlightBytesMax: config.QUEUE_MIB_MAX * MIB,
      recoverAfterMs: config.RECOVERY_AFTER_SECONDS * 1000,
    },
  });
}

/** Brings the read model of payments up to the journal; not started. */
export function createPaymentsFollower(books: number, db: Db, log: Logger): Follower {
  const projection = new PaymentsProjection(new MongoJournalQueries(db), new MongoPaymentsView(db));
  return new Follower({ name: 'the list of payments', projection, books, log, pollMs: PAYMENTS_POLL_MS });
}

/** Brings the balances that are kept with the accounts up to the journal; not started. */
export function createBalancesFollower(books: number, db: Db, log: Logger): Follower {
  const projection = new MongoBalanceSnapshots(db);
  const [pollMs, rest] = [BALANCES_POLL_MS, BALANCES_REST];
  return new Follower({ name: 'the balances kept with accounts', projection, books, log, pollMs, rest });
}

/** What reconciliation reads. The read model is brought up to the journal before payments are taken from it. */
export function createReconcileDeps(config: Config, db: Db, log: Logger): ReconcileDeps {
  const audit = new MongoAudit(db);
  const follower = createPaymentsFollower(config.BOOKS, db, log);
  async function* postedPayments(from: Date, to: Date) {
    for (const { book } of await audit.tips()) await follower.catchUp(book);
    yield* audit.postedPayments(from, to);
  }
  return { audit, payments: { postedPayments } };
}

function createPayments(config: Config, db: Db, ledger: Engine): PaymentsService {
  return new PaymentsService({
    ledger,
    accounts: withFaultsNamed(new MongoAccountsStore(db), ['insert']),
    journal: withFaultsNamed(new MongoJournalQueries(db)),
    view: withFaultsNamed(new MongoPaymentsView(db)),
    books: config.BOOKS,
  });
}

export interface Service {
  /** Where HTTP is served; null: it is not. */
  readonly address: string | null;
  /** Where the key is kept that was made because none was set; null: one was set. */
  readonly keyFile: string | null;
  readonly sqs: { readonly endpoint: string | null; readonly queueUrl: string } | null;
  stop(): Promise<void>;
}

export interface Parts {
  readonly http: boolean;
  readonly consumer: boolean;
}

/** Starts the service. Rejects, with everything ended again, when a part cannot start. */
export async function startService(config: Config, log: Logger, parts: Parts): Promise<Service> {
  const closers = new Closers();
  try {
    const storage = await openStorage(config, log, { share: false });
    closers.add(() => storage.close());
    const { db } = storage;
    const engine = createEngine(config, db, log);
    engine.start();
    closers.add(() => engine.stop(config.SHUTDOWN_GRACE_MS));
    // Books that were once set stay: their accounts are there.
    const books = Math.max(config.BOOKS, 1 + ((await new MongoJournalQueries(db).books()).at(-1) ?? 0));
    const metrics = new Metrics();
    metrics.watchEngine(engine);
    const lists = createPaymentsFollower(books, db, log);
    const balances = createBalancesFollower(books, db, log);
    for (const follower of [lists, balances]) {
      follower.start();
      closers.add(() => follower.stop());
    }
    metrics.watchLag('kvitt_payments_view_lag_seconds', 'the list of payments', () => lists.lagMs());
    metrics.watchLag('kvitt_account_balances_lag_seconds', 'the balances kept with accounts', () => balances.lagMs());
    const payments = createPayments(config, db, engine);
    const keyFile = await bootstrapKey(config, db, storage.embedded);
    const address = parts.http ? await serveHttp(config, db, log, { payments, metrics, closers }) : null;
    const sqs = parts.consumer ? await consume(config, log, { payments, metrics, closers, storage }) : null;
    return { address, keyFile, sqs, stop: () => closers.closeAll(log) };
  } catch (error) {
    await closers.closeAll(log);
    throw error;
  }
}

interface Wiring {
  readonly payments: PaymentsService;
  readonly metrics: Metrics;
  readonly closers: Closers;
}

async function serveHttp(config: Config, db: Db, log: Logger, { payments, metrics, closers }: Wiring): Promise<string> {
  const store = withFaultsNamed(new MongoReconciliations(db), ['save', 'saveItems']);
  const reconciliations = new Reconciliations({ ...createReconcileDeps(config, db, log), store, clock: Date, log });
  closers.add(() => reconciliations.close());
  const app = await buildApp({
    payments,
    reconciliations: new ReconciliationViews(reconciliations),
    auth: new CachingAuthenticator(new MongoApiKeys(db)),
    health: healthOf(db),
    metrics,
    log,
    settings: httpSettings(config),
  });
  closers.add(() => closeHttp(app, config.SHUTDOWN_GRACE_MS));
  return listen(app, config);
}

function httpSettings(config: Config): HttpSettings {
  return {
    version: VERSION,
    bodyLimitBytes: MIB,
    requestsMax: config.QUEUE_COMMANDS_MAX,
    rateLimitPerMinute: config.RATE_LIMIT_PER_MINUTE,
    requestTimeoutMs: 30_000,
    slowRequestMs: 2_000,
    eventLoopDelayMsMax: 0,
    metricsOpen: config.METRICS_OPEN === 'true',
  };
}

function listen(app: FastifyInstance, config: Config): Promise<string> {
  return app.listen({ host: config.HTTP_HOST, port: config.HTTP_PORT });
}

/** Requests that have begun are carried out and answered; those that take longer than the grace are cut off. */
async function closeHttp(app: FastifyInstance, graceMs: number): Promise<void> {
  const cutOff = setTimeout(() => app.server.closeAllConnections(), graceMs);
  await app.close();
  clearTimeout(cutOff);
}

function healthOf(db: Db): HealthPort {
  return {
    readiness: async () => {
      try {
        // Not `timeoutMS`, which does not bound a command that waits for a primary or for a member that stalls.
        await db.command({ ping: 1 }, { signal: AbortSignal.timeout(READINESS_MS_MAX) });
        return { ready: true, checks: { mongodb: 'ok' } };
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        return { ready: false, checks: { mongodb: why } };
      }
    },
  };
}

async function consume(
  config: Config,
  log: Logger,
  { payments, metrics, closers, storage }: Wiring & { storage: Storage },
): Promise<Service['sqs']> {
  let queueUrl = config.SQS_QUEUE_URL;
  let deadLetterQueueUrl = config.SQS_DEAD_LETTER_QUEUE_URL;
  let waitSeconds = config.SQS_WAIT_SECONDS;
  let connection: Parameters<typeof createSqsClient>[0] = {
    region: config.AWS_REGION,
    ...(config.SQS_ENDPOINT === undefined ? {} : { endpoint: config.SQS_ENDPOINT }),
  };
  if (queueUrl === undefined || deadLetterQueueUrl === undefined) {
    // Whoever brings a database of their own brings a queue of their own, or wants none.
    if (!storage.embedded) return null;
    log.info('SQS_QUEUE_URL is not set: starting an embedded SQS server, whose messages do not survive a restart');
    const embedded = await startEmbeddedSqs();
    closers.add(() => embedded.stop());
    queueUrl = embedded.queueUrls.get(EVENTS_QUEUE)!;
    deadLetterQueueUrl = embedded.queueUrls.get(DEAD_LETTER_QUEUE)!;
    connection = embedded;
    // In memory a message is there at once, and nobody wants to wait for a long poll when they press Ctrl-C.
    waitSeconds = Math.min(waitSeconds, EMBEDDED_SQS_WAIT_SECONDS_MAX);
  }
  const client = createSqsClient(connection);
  closers.add(async () => client.destroy());
  const consumer = new Consumer(
    { client, payments, log, onCount: (counter, reason) => metrics.messageCounted(counter, reason) },
    {
      queueUrl,
      deadLetterQueueUrl,
      waitSeconds,
      visibilityTimeoutSeconds: config.SQS_VISIBILITY_TIMEOUT_SECONDS,
      concurrency: config.SQS_CONCURRENCY,
    },
  );
  // A receive under way is let end, and only then the grace time counts.
  closers.add(() => consumer.stop(waitSeconds * 1000 + config.SHUTDOWN_GRACE_MS));
  log.info({ queueUrl }, 'consuming payment events');
  return { endpoint: connection.endpoint ?? null, queueUrl };
}

/** Makes sure that there is a first API key. Answers the file that keeps it, when it had to be made here. */
async function bootstrapKey(config: Config, db: Db, embedded: boolean): Promise<string | null> {
  const keys = new MongoApiKeys(db);
  const add = (key: string) =>
    keys.add({ hash: hashApiKey(key), client: 'bootstrap', scopes: SCOPES, expiresAt: null });
  if (config.BOOTSTRAP_API_KEY !== undefined) {
    await add(config.BOOTSTRAP_API_KEY);
    return null;
  }
  if (!embedded) return null;
  const file = join(config.DATA_DIR, 'api-key');
  let key = await readFile(file, 'utf8').catch(() => null);
  if (key === null) {
    key = generateApiKey();
    await mkdir(config.DATA_DIR, { recursive: true });
    await writeFile(file, key, { mode: 0o600, flag: 'wx' });
    await chmod(file, 0o600);
  }
  await add(key.trim());
  return file;
}

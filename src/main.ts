/** From settings to a running service, and back: what is made of which part is in wiring/, the order is here. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Config } from './config.ts';
import { Metrics } from './metrics.ts';
import { MongoJournalQueries } from './mongo/journal-queries.ts';
import { Expiry } from './payments/expiry.ts';
import { DeadLetterOffice } from './queue/dead-letter-office.ts';
import { Closers } from './wiring/closers.ts';
import { joinCluster, shareBooks } from './wiring/cluster.ts';
import { type Consumed, consume } from './wiring/consumer.ts';
import { publishEvents } from './wiring/events.ts';
import { createBalancesFollower, createPaymentsFollower, FOLLOWS_ALL } from './wiring/followers.ts';
import { httpSettings, serveHttp } from './wiring/http.ts';
import { bootstrapKey } from './wiring/keys.ts';
import { createEngine, createPayments } from './wiring/ledger.ts';
import { openQueues } from './wiring/queue.ts';
import { createReconciliation } from './wiring/reconciliation.ts';
import { openStorage } from './wiring/storage.ts';
import { startTraces } from './wiring/tracing.ts';
import { deliverWebhooks } from './wiring/webhooks.ts';

const TRACES_GRACE_MS_MAX = 5_000;

export interface Service {
  /** Where HTTP is served; null: it is not. */
  readonly address: string | null;
  /** Where the key is kept that was made because none was set; null: one was set. */
  readonly keyFile: string | null;
  readonly sqs: Consumed | null;
  stop(): Promise<void>;
}

export interface Parts {
  readonly http: boolean;
  readonly consumer: boolean;
}

/** Starts the service. Rejects, with everything ended again, when a part cannot start. */
export async function startService(config: Config, log: Logger, parts: Parts): Promise<Service> {
  const closers = new Closers();
  const ending = new AbortController();
  try {
    // Ends last: whatever ends before it may be traced.
    const tracing = await startTraces(config, log);
    closers.add(async () => tracing?.close(Math.min(config.SHUTDOWN_GRACE_MS, TRACES_GRACE_MS_MAX)));
    const storage = await openStorage(config, log, { share: false });
    closers.add(() => storage.close());
    const { db } = storage;
    // Books that were once set stay: their accounts are there.
    const books = Math.max(config.BOOKS, 1 + ((await new MongoJournalQueries(db).books()).at(-1) ?? 0));
    const cluster = await joinCluster(config, db, log, books);
    if (cluster !== null) closers.add(() => cluster.close());
    const metrics = new Metrics();
    metrics.watchPool(storage.pool);
    const engine = createEngine(config, db, log, {
      ...(cluster === null ? {} : { leadership: cluster.leadership }),
      observers: tracing === null ? [metrics] : [metrics, tracing.ledger],
    });
    engine.start();
    closers.add(() => engine.stop(config.SHUTDOWN_GRACE_MS));
    metrics.watchEngine(engine);
    // Whoever leads a book has just written what is to be read.
    const isOurs = cluster === null ? FOLLOWS_ALL : (book: number) => cluster.leadership.leads(book);
    const lists = createPaymentsFollower(books, db, log, isOurs);
    const balances = createBalancesFollower(books, db, log, isOurs);
    for (const follower of [lists, balances]) {
      follower.start();
      closers.add(() => follower.stop());
    }
    metrics.watchLag('kvitt_payments_view_lag_seconds', lists);
    metrics.watchLag('kvitt_account_balances_lag_seconds', balances);
    const told = await publishEvents(config, db, log, books, isOurs);
    if (told !== null) {
      closers.add(() => told.stop());
      metrics.watchLag('kvitt_events_lag_seconds', told.follower);
      metrics.watchEvents(told.publisher);
    }
    const webhooks = deliverWebhooks(config, db, log, books, isOurs);
    closers.add(() => webhooks.stop());
    metrics.watchLag('kvitt_webhooks_lag_seconds', webhooks.follower);
    metrics.watchWebhooks(webhooks.deliverer);
    const payments = createPayments(config, db, tracing?.ledger.over(engine) ?? engine);
    const expiry = new Expiry({ lifeCycle: payments.lifeCycle, view: payments.deps.view, log });
    expiry.start();
    metrics.watchExpiry(expiry);
    closers.add(() => expiry.stop());
    const reconciliation = createReconciliation(config, db, log, { payments, isElsewhere: true });
    closers.add(() => reconciliation.reconciliations.close());
    closers.add(async () => reconciliation.schedule?.stop());
    reconciliation.reconciliations.start();
    reconciliation.schedule?.start();
    const keyFile = await bootstrapKey(config, db, storage.embedded);
    const settings = httpSettings(config);
    const queues = await openQueues(config, log, { storage, closers });
    const deadLetters = queues === null ? null : new DeadLetterOffice(queues);
    const wiring = { payments, metrics, tracing, ending: ending.signal, closers };
    const beside = { cluster, webhooks: webhooks.service, reconciliation, deadLetters, settings };
    const address = parts.http ? await serveHttp(config, db, log, { ...wiring, ...beside }) : null;
    const sqs = parts.consumer && queues !== null ? consume(config, log, queues, wiring) : null;
    // Whoever sends requests has to hear first that this process ends.
    closers.add(async () => ending.signal.aborted && sleep(config.SHUTDOWN_DELAY_MS));
    if (cluster !== null) {
      metrics.watchCluster(cluster);
      closers.add(() => cluster.drain());
      await shareBooks(config, db, log, { cluster, engine, address, settings, ending: ending.signal, closers });
    }
    const stop = () => {
      ending.abort();
      return closers.closeAll(log);
    };
    return { address, keyFile, sqs, stop };
  } catch (error) {
    await closers.closeAll(log);
    throw error;
  }
}

import type { FastifyInstance } from 'fastify';
import type { Db } from 'mongodb';
import type { Logger } from 'pino';
import type { Cluster } from '../cluster/cluster.ts';
import type { Config } from '../config.ts';
import { EventFeed } from '../events/feed.ts';
import { buildApp } from '../http/app.ts';
import { CachingAuthenticator } from '../http/auth.ts';
import type { HttpSettings } from '../http/ports.ts';
import type { Metrics } from '../metrics.ts';
import { MongoApiKeys } from '../mongo/api-keys.ts';
import { MongoAuditLog } from '../mongo/audit-log.ts';
import { withFaultsNamed } from '../mongo/faults.ts';
import { MongoJournalQueries } from '../mongo/journal-queries.ts';
import { MongoNotices } from '../mongo/notices.ts';
import type { PaymentsService } from '../payments/service.ts';
import type { DeadLetterOffice } from '../queue/dead-letter-office.ts';
import { ReconciliationViews } from '../reconciliation/views.ts';
import type { Tracing } from '../tracing/tracing.ts';
import { VERSION } from '../version.ts';
import type { Webhooks } from '../webhooks/types.ts';
import type { Closers } from './closers.ts';
import { healthOf } from './health.ts';
import type { ReconciliationParts } from './reconciliation.ts';

const BODY_BYTES_MAX = 1 << 20;

export type ChangingSettings = HttpSettings & { rateLimitPerMinute: number };

interface Serving {
  readonly payments: PaymentsService;
  /** Null: books are not shared. */
  readonly cluster: Cluster | null;
  readonly webhooks: Webhooks;
  readonly reconciliation: ReconciliationParts;
  /** Null: there is no queue. */
  readonly deadLetters: DeadLetterOffice | null;
  readonly metrics: Metrics;
  readonly tracing: Tracing | null;
  readonly settings: HttpSettings;
  readonly ending: AbortSignal;
  readonly closers: Closers;
}

/** Answers where. */
export async function serveHttp(
  config: Config,
  db: Db,
  log: Logger,
  { payments, cluster, webhooks, reconciliation, deadLetters, metrics, tracing, settings, ending, closers }: Serving,
): Promise<string> {
  const app = await buildApp({
    payments,
    ...(cluster === null ? {} : { leaderOf: (book: number) => cluster.leadership.leaderOf(book) }),
    events: new EventFeed(withFaultsNamed(new MongoJournalQueries(db)), withFaultsNamed(new MongoNotices(db))),
    webhooks,
    deadLetters,
    reconciliations: new ReconciliationViews(reconciliation.reconciliations, reconciliation.breaks),
    auth: new CachingAuthenticator(new MongoApiKeys(db)),
    audit: withFaultsNamed(new MongoAuditLog(db), ['record']),
    health: healthOf(db, ending),
    metrics,
    ...(tracing === null ? {} : { tracer: tracing.requests }),
    log,
    settings,
  });
  closers.add(() => closeHttp(app, config.SHUTDOWN_GRACE_MS));
  return listen(app, config);
}

export function httpSettings(config: Config): ChangingSettings {
  return {
    version: VERSION,
    bodyLimitBytes: BODY_BYTES_MAX,
    requestsMax: config.QUEUE_COMMANDS_MAX,
    rateLimitPerMinute: config.RATE_LIMIT_PER_MINUTE,
    rateLimitMayChange: config.CLOUDNAME_COORDINATE !== undefined,
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

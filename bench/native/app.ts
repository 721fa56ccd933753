import type { FastifyInstance } from 'fastify';
import type { Db } from 'mongodb';
import type { Logger } from 'pino';
import type { Events } from '../../src/events/feed.ts';
import { buildApp } from '../../src/http/app.ts';
import { CachingAuthenticator, hashApiKey } from '../../src/http/auth.ts';
import { type HttpDeps, type HttpMetrics, SCOPES } from '../../src/http/ports.ts';
import { MongoApiKeys } from '../../src/mongo/api-keys.ts';
import { withFaultsNamed } from '../../src/mongo/faults.ts';
import { PaymentsError } from '../../src/payments/types.ts';
import { VERSION } from '../../src/version.ts';
import type { Webhooks } from '../../src/webhooks/types.ts';
import { healthOf } from '../../src/wiring/health.ts';
import { NativePayments } from './payments.ts';

export interface NativeAppOptions {
  /** Is added to those that are there, with every scope. */
  readonly apiKey: string;
  readonly metrics: HttpMetrics;
  readonly metricsOpen?: boolean;
  readonly log: Logger;
}

/** The app of the service over {@link NativePayments}, with the same settings, and no lines for slow requests. */
export async function buildNativeApp(db: Db, options: NativeAppOptions): Promise<FastifyInstance> {
  const { apiKey, metrics, metricsOpen = false, log } = options;
  const payments = new NativePayments(db);
  await payments.transactions.createIndexes();
  const keys = new MongoApiKeys(db);
  await keys.add({ hash: hashApiKey(apiKey), client: 'bootstrap', scopes: SCOPES, expiresAt: null });
  return buildApp({
    payments: withFaultsNamed(payments, ['createAccount', 'createPayment', ...FOLLOWING]),
    events: absent<Events>(),
    webhooks: absent<Webhooks>(),
    deadLetters: null,
    reconciliations: absent<HttpDeps['reconciliations']>(),
    auth: new CachingAuthenticator(keys),
    audit: { record: async () => undefined },
    health: healthOf(db, new AbortController().signal),
    metrics,
    log,
    settings: {
      version: VERSION,
      bodyLimitBytes: 1 << 20,
      requestsMax: 4_000,
      rateLimitPerMinute: 0,
      requestTimeoutMs: 30_000,
      slowRequestMs: 60_000,
      eventLoopDelayMsMax: 0,
      metricsOpen,
    },
  });
}

const FOLLOWING = ['capturePayment', 'cancelPayment', 'refundPayment'] as const;

/** A port all of whose methods answer that there is nothing. */
function absent<Port extends object>(): Port {
  const refuse = async () => {
    throw new PaymentsError('not_found', 'the native peer does not support this');
  };
  return new Proxy({}, { get: () => refuse }) as Port;
}

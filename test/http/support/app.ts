/** An app over {@link MemoryPayments}, with one key for everything, and short ways to ask it. */
import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from 'fastify';
import pino from 'pino';
import type { Events } from '../../../src/events/feed.ts';
import { buildApp } from '../../../src/http/app.ts';
import { CachingAuthenticator, generateApiKey, hashApiKey } from '../../../src/http/auth.ts';
import { type ApiKeyRecord, type HttpSettings, type Readiness, SCOPES } from '../../../src/http/ports.ts';
import type { BreakList } from '../../../src/http/routes/breaks.ts';
import type { DeadLetters } from '../../../src/http/routes/dead-letters.ts';
import type { ReconciliationJobs } from '../../../src/http/routes/reconciliations.ts';
import { logOptions } from '../../../src/log.ts';
import { PaymentsError } from '../../../src/payments/types.ts';
import type { ReconciliationResource } from '../../../src/resources/schemas.ts';
import type { Webhooks } from '../../../src/webhooks/types.ts';
import { MemoryPayments } from './memory-payments.ts';

export class MemoryApiKeys {
  readonly records = new Map<string, ApiKeyRecord>();
  lookups = 0;
  failure: Error | null = null;

  async find(hash: string): Promise<ApiKeyRecord | null> {
    this.lookups++;
    if (this.failure !== null) throw this.failure;
    return this.records.get(hash) ?? null;
  }

  /** Stores a key and gives it in clear. */
  add(overrides: Partial<ApiKeyRecord> = {}): string {
    const key = generateApiKey();
    const hash = hashApiKey(key);
    this.records.set(hash, { hash, client: 'shop', scopes: SCOPES, expiresAt: null, revokedAt: null, ...overrides });
    return key;
  }
}

/** Takes any statement and has kept none: what the routes do is under test in test/service. */
const NO_RECONCILIATIONS: ReconciliationJobs & BreakList = {
  start: async () => ({ reconciliation: RUNNING, isKnown: false }),
  begin: async () => RUNNING,
  get: async (id) => notKept(id),
  list: async () => ({ data: [], hasMore: false }),
  items: async (id) => notKept(id),
  matches: async (id) => notKept(id),
  report: async (id) => notKept(id),
  listBreaks: async () => ({ data: [], hasMore: false }),
  getBreak: async (id) => notKept(id),
  assign: async (id) => notKept(id),
  comment: async (id) => notKept(id),
  resolve: async (id) => notKept(id),
  ageing: async () => ({ object: 'break_ageing', data: [] }),
};

const RUNNING: ReconciliationResource = {
  ...{ object: 'reconciliation', id: 'rec_1', source: 'default', kind: 'statement', status: 'running' },
  ...{ started_at: '2026-01-01T00:00:00.000Z', finished_at: null, ok: null, failure: null, file: null, counts: null },
};

const NO_EVENTS: Events = {
  page: async () => ({ data: [], hasMore: false, nextCursor: 'djE' }),
  get: async (id) => notKept(id),
};

const NO_WEBHOOKS: Webhooks = {
  create: async () => notKept('webhook endpoint'),
  list: async () => [],
  get: async (id) => notKept(id),
  remove: async (id) => notKept(id),
  rotate: async (id) => notKept(id),
  enable: async (id) => notKept(id),
  disable: async (id) => notKept(id),
  deliveries: async (id) => notKept(id),
  redeliver: async (id) => notKept(id),
};

function notKept(id: string): never {
  throw new PaymentsError('not_found', `there is no ${id}`);
}

const SETTINGS: HttpSettings = {
  version: '0.0.0-test',
  bodyLimitBytes: 1024 * 1024,
  requestsMax: 1_000,
  rateLimitPerMinute: 0,
  requestTimeoutMs: 30_000,
  slowRequestMs: 60_000,
  eventLoopDelayMsMax: 0,
  metricsOpen: false,
};

export interface TestApp {
  readonly app: FastifyInstance;
  readonly payments: MemoryPayments;
  readonly keys: MemoryApiKeys;
  /** A key with every scope, of the client `shop`. */
  readonly key: string;
  /** Lines of the log, at every level. */
  readonly logged: Record<string, unknown>[];
  readonly measured: { method: string; route: string; status: number }[];
  /** What was kept of what operators did; with a failure nothing is. */
  readonly audited: { readonly entries: object[]; failure: Error | null };
  readonly readiness: { answer: Readiness };
  inject(options: InjectOptions): Promise<LightMyRequestResponse>;
  get(url: string): Promise<LightMyRequestResponse>;
  /** `idempotencyKey` undefined: a new one. */
  post(url: string, body: unknown, idempotencyKey?: string): Promise<LightMyRequestResponse>;
}

/** `deadLetters` null: it has no queue. */
export async function testApp(
  settings: Partial<HttpSettings> = {},
  deadLetters: DeadLetters | null = null,
): Promise<TestApp> {
  const payments = new MemoryPayments();
  const keys = new MemoryApiKeys();
  const key = keys.add();
  const logged: TestApp['logged'] = [];
  const measured: TestApp['measured'] = [];
  const audited: TestApp['audited'] = { entries: [], failure: null };
  const readiness = { answer: { ready: true, checks: { mongodb: 'ok' } } as Readiness };
  const app = await buildApp({
    payments,
    events: NO_EVENTS,
    webhooks: NO_WEBHOOKS,
    deadLetters,
    reconciliations: NO_RECONCILIATIONS,
    auth: new CachingAuthenticator(keys),
    audit: {
      record: async (entry) => {
        if (audited.failure !== null) throw audited.failure;
        audited.entries.push(entry);
      },
    },
    health: { readiness: async () => readiness.answer },
    metrics: {
      contentType: 'text/plain; version=0.0.4',
      render: async () => 'kvitt_up 1\n',
      requestEnded: (method, route, status) => measured.push({ method, route, status }),
    },
    log: pino(logOptions('trace'), { write: (line: string) => logged.push(JSON.parse(line)) }),
    settings: { ...SETTINGS, ...settings },
  });
  const inject = (options: InjectOptions) =>
    app.inject({ ...options, headers: { authorization: `Bearer ${key}`, ...options.headers } });
  let keysUsed = 0;
  return {
    app,
    payments,
    keys,
    key,
    logged,
    measured,
    audited,
    readiness,
    inject,
    get: (url) => inject({ method: 'GET', url }),
    post: (url, body, idempotencyKey = `key-${++keysUsed}`) =>
      inject({
        method: 'POST',
        url,
        headers: { 'content-type': 'application/json', 'idempotency-key': idempotencyKey },
        payload: typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body),
      }),
  };
}

/** Two wallets in EUR, one in USD, and the worlds that fund them; `alice` has 10,000 cents. */
export async function fund(target: TestApp): Promise<void> {
  for (const [id, currency] of [
    ['world:EUR', 'EUR'],
    ['world:USD', 'USD'],
    ['alice', 'EUR'],
    ['bob', 'EUR'],
    ['carol', 'USD'],
  ]) {
    await target.post('/v1/accounts', { id, currency });
  }
  await target.post('/v1/payments', { source: 'world:EUR', destination: 'alice', amount: 10_000, currency: 'EUR' });
  target.payments.calls = 0;
}

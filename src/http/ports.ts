/** What the HTTP room needs of the process around it. `src/main.ts` wires the real ones. */
import type { FastifyBaseLogger } from 'fastify';
import type { Events } from '../events/feed.ts';
import type { Payments, TraceParent } from '../payments/types.ts';
import type { Webhooks } from '../webhooks/types.ts';
import type { ProblemCode } from './problem.ts';
import type { BreakList } from './routes/breaks.ts';
import type { DeadLetters } from './routes/dead-letters.ts';
import type { LeaderOf } from './routes/ledger.ts';
import type { ReconciliationJobs } from './routes/reconciliations.ts';

/** What an API key may do. `operations` is for whoever runs the service. */
export const SCOPES = ['accounts:read', 'accounts:write', 'payments:read', 'payments:write', 'operations'] as const;
export type Scope = (typeof SCOPES)[number];

/** Who sent a request. */
export interface Principal {
  /** Names the key without revealing it: the first 16 hex digits of its hash. */
  readonly keyId: string;
  /** Idempotency keys are scoped to it. */
  readonly client: string;
  readonly scopes: ReadonlySet<string>;
}

/** Tells who a presented API key belongs to; `null` when it is unknown, expired or revoked. Rejects when it cannot know. */
export interface AuthPort {
  authenticate(key: string): Promise<Principal | null>;
}

/** An API key as it is stored: never the key itself. */
export interface ApiKeyRecord {
  /** SHA-256 of the key in lower-case hex. */
  readonly hash: string;
  readonly client: string;
  readonly scopes: readonly string[];
  /** `null`: does not expire. */
  readonly expiresAt: Date | null;
  /** `null`: not revoked. */
  readonly revokedAt: Date | null;
}

/** The store of API keys. */
export interface ApiKeysPort {
  find(hash: string): Promise<ApiKeyRecord | null>;
}

/** May this process be sent requests? `checks` says per part `ok` or, in words for an operator, what is wrong. */
export interface Readiness {
  readonly ready: boolean;
  readonly checks: Readonly<Record<string, string>>;
}

export interface HealthPort {
  readiness(): Promise<Readiness>;
}

export interface HttpMetrics {
  /** Content type of what `render` gives. */
  readonly contentType: string;
  render(): Promise<string>;
  /**
   * Called once a request. `route` is the pattern, such as `/v1/payments/:id`, or `unknown`; `problem` is what was
   * answered instead of what was asked for, or null.
   */
  requestEnded(
    method: string,
    route: string,
    status: number,
    durationSeconds: number,
    problem: ProblemCode | null,
  ): void;
}

/** Of a request, what its span says. */
export interface TracedRequest {
  readonly id: string;
  readonly method: string;
  /** The pattern; null: there is none. */
  readonly route: string | null;
  readonly httpVersion: string;
  readonly headers: TraceParent;
}

export interface RequestSpan {
  readonly traceId: string;
  /** What is done here, and whatever follows from it, belongs to the span. */
  run(work: () => void): void;
  /** `status` null: its sender hung up before the answer. */
  end(status: number | null, problem: ProblemCode | null): void;
}

export interface RequestTracer {
  begin(request: TracedRequest): RequestSpan;
}

/** What an operator can do over HTTP that is kept in the audit log. */
export type OperatorAction =
  | 'reconciliation_started'
  | 'break_assigned'
  | 'break_commented'
  | 'break_resolved'
  | 'webhook_endpoint_created'
  | 'webhook_endpoint_removed'
  | 'webhook_secret_rotated'
  | 'webhook_endpoint_enabled'
  | 'webhook_endpoint_disabled'
  | 'webhook_redelivered'
  | 'dead_letters_redriven'
  | 'dead_letters_dropped';

/** Where it is kept what operators did. */
export interface AuditPort {
  /** Resolves when it is kept for good. `details` holds no secret. */
  record(entry: {
    readonly actor: string;
    readonly action: OperatorAction;
    readonly target: string;
    readonly details: Readonly<Record<string, string>>;
  }): Promise<void>;
}

export interface HttpSettings {
  /** Shown in the OpenAPI document. */
  readonly version: string;
  readonly bodyLimitBytes: number;
  /** Requests under way at once, those that read and those that write each; more are answered 503. */
  readonly requestsMax: number;
  /** Of each API key; 0: no limit. May change while it runs, if there is a limit or `rateLimitMayChange`. */
  readonly rateLimitPerMinute: number;
  readonly rateLimitMayChange?: boolean;
  /** A request that is not wholly received by then is answered 408; 0: no limit. */
  readonly requestTimeoutMs: number;
  /** Requests slower than this are logged as warnings. */
  readonly slowRequestMs: number;
  /** When the event loop lags more than this, requests are answered 503; 0: never. */
  readonly eventLoopDelayMsMax: number;
  /** `/metrics` without a key. Otherwise it needs the scope `operations`. */
  readonly metricsOpen: boolean;
}

export interface HttpDeps {
  readonly payments: Payments;
  /** By default books are not shared. */
  readonly leaderOf?: LeaderOf;
  readonly events: Events;
  readonly webhooks: Webhooks;
  /** Null: there is no queue. */
  readonly deadLetters: DeadLetters | null;
  readonly reconciliations: ReconciliationJobs & BreakList;
  readonly auth: AuthPort;
  readonly audit: AuditPort;
  readonly health: HealthPort;
  readonly metrics: HttpMetrics;
  /** Without one nothing is traced. */
  readonly tracer?: RequestTracer;
  readonly log: FastifyBaseLogger;
  readonly settings: HttpSettings;
}

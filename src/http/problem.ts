/** RFC 9457 problems: one closed list of codes. `docs/errors.md` documents each; a test compares the two. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { SECURITY_HEADERS } from './security-headers.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** What was answered instead of what was asked for; null: nothing was. */
    problem: ProblemCode | null;
  }
}

interface ProblemKind {
  readonly status: number;
  readonly title: string;
  /** May the very same request, with the same Idempotency-Key, be sent again and end differently? */
  readonly retryable: boolean;
  /** Answered as `Retry-After` when the request is worth repeating. */
  readonly retryAfterSeconds?: number;
}

const kind = (status: number, title: string): ProblemKind => ({
  status,
  title,
  retryable: false,
});
const passing = (status: number, title: string, retryAfterSeconds: number): ProblemKind => ({
  status,
  title,
  retryable: true,
  retryAfterSeconds,
});

export const PROBLEMS = {
  validation_failed: kind(400, 'The request has invalid fields'),
  invalid_json: kind(400, 'The body is not acceptable JSON'),
  invalid_request: kind(400, 'The request cannot be understood'),
  idempotency_key_missing: kind(400, 'The Idempotency-Key header is missing'),
  idempotency_key_invalid: kind(400, 'The Idempotency-Key header is invalid'),
  invalid_cursor: kind(400, 'The cursor is invalid'),
  unauthenticated: kind(401, 'A valid API key is required'),
  insufficient_scope: kind(403, 'The API key lacks a scope'),
  not_found: kind(404, 'Not found'),
  no_queue: kind(404, 'The service has no queue'),
  method_not_allowed: kind(405, 'Method not allowed'),
  request_timeout: passing(408, 'The request was not received in time', 1),
  account_exists: kind(409, 'The account exists and differs'),
  break_resolved: kind(409, 'The break is resolved already'),
  transaction_pending: passing(409, 'The transaction is not at its end yet', 1),
  idempotency_key_in_progress: passing(409, 'The first request with this key is still running', 1),
  precondition_failed: kind(412, 'It was changed meanwhile'),
  body_too_large: kind(413, 'The body is too large'),
  unsupported_media_type: kind(415, 'The body must be application/json'),
  account_not_found: kind(422, 'An account does not exist'),
  adjustment_rejected: kind(422, 'The ledger rejected the adjusting transaction'),
  unknown_source: kind(422, 'There is no such source'),
  currency_mismatch: kind(422, 'The currency is not that of the account'),
  invalid_command: kind(422, 'The ledger cannot accept this'),
  idempotency_key_reused: kind(422, 'The Idempotency-Key was used with another request'),
  insufficient_funds: kind(422, 'Insufficient funds'),
  balance_limit_exceeded: kind(422, 'The balance limit of the destination would be exceeded'),
  expired: kind(422, 'The request expired before it was carried out'),
  account_frozen: kind(422, 'An account that gives is frozen'),
  account_closed: kind(422, 'An account is closed'),
  account_not_empty: kind(422, 'The account is not empty'),
  nothing_held: kind(422, 'The payment holds nothing'),
  capture_exceeds_held: kind(422, 'The payment holds less than that'),
  authorization_expired: kind(422, 'The authorization has expired'),
  not_expired: kind(422, 'The authorization has not expired'),
  refund_exceeds_captured: kind(422, 'Less than that can be refunded'),
  not_reversible: kind(422, 'The transaction cannot be reversed'),
  already_reversed: kind(422, 'The transaction is reversed already'),
  too_many_accounts: kind(422, 'The prefix covers too many accounts'),
  webhook_url_refused: kind(422, 'Webhooks cannot be posted there'),
  too_many_webhook_endpoints: kind(422, 'There are too many webhook endpoints'),
  precondition_required: kind(428, 'The If-Match header is missing'),
  rate_limited: passing(429, 'Too many requests', 1),
  headers_too_large: kind(431, 'The headers are too large'),
  internal_error: passing(500, 'Internal error', 1),
  overloaded: passing(503, 'Overloaded', 1),
  unavailable: passing(503, 'Temporarily unavailable', 1),
  outcome_unknown: passing(503, 'The outcome is not known yet', 1),
  not_ready: passing(503, 'Not ready', 1),
} as const satisfies Record<string, ProblemKind>;
export type ProblemCode = keyof typeof PROBLEMS;

/** What is wrong with one part of the request: exactly one of `pointer` (JSON pointer into the body), `parameter` (of the path or query) and `header`. */
export type FieldError = { readonly detail: string } & (
  | { readonly pointer: string }
  | { readonly parameter: string }
  | { readonly header: string }
);

export interface ProblemExtras {
  readonly errors?: readonly FieldError[];
  readonly headers?: Readonly<Record<string, string>>;
  /** Further members of the body, such as `payment_id`. */
  readonly members?: Readonly<Record<string, unknown>>;
  /** Instead of the path of the request. */
  readonly instance?: string;
  /** Instead of the id of the request. */
  readonly requestId?: string;
}

/** What {@link sendProblem} renders. `message` is shown to the client. */
export interface Problem {
  readonly code: ProblemCode;
  readonly message: string;
  readonly extras: ProblemExtras;
}

/** A problem as it is thrown by whatever handles a request. */
export class ProblemError extends Error implements Problem {
  override readonly name = 'ProblemError';
  constructor(
    readonly code: ProblemCode,
    message: string,
    readonly extras: ProblemExtras = {},
  ) {
    super(message);
  }
}

/** The body of a problem. `type` is a URN: it identifies the kind, there is nothing to fetch. */
export function problemBody(problem: Problem, instance: string | undefined, requestId: string): string {
  const { status, title, retryable } = PROBLEMS[problem.code];
  return JSON.stringify({
    type: `urn:kvitt:problem:${problem.code}`,
    title,
    status,
    detail: problem.message,
    instance,
    code: problem.code,
    request_id: requestId,
    retryable,
    errors: problem.extras.errors,
    ...problem.extras.members,
  });
}

export function sendProblem(problem: Problem, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  request.problem = problem.code;
  const known: ProblemKind = PROBLEMS[problem.code];
  if (known.retryAfterSeconds !== undefined && !reply.hasHeader('retry-after')) {
    reply.header('retry-after', String(known.retryAfterSeconds));
  }
  // Set already, unless the request failed before the hooks.
  if (!reply.hasHeader('x-request-id')) reply.headers(SECURITY_HEADERS).header('x-request-id', request.id);
  for (const [name, value] of Object.entries(problem.extras.headers ?? {})) reply.header(name, value);
  const instance = problem.extras.instance ?? pathOf(request.url);
  const body = problemBody(problem, instance, problem.extras.requestId ?? request.id);
  return reply.code(known.status).header('content-type', 'application/problem+json').send(body);
}

/** Without the query: it may hold what does not belong into an answer. */
function pathOf(url: string): string {
  const query = url.indexOf('?');
  return query < 0 ? url : url.slice(0, query);
}

/** What an answer says about what has become of a call. */
import type { HttpAnswer } from './http-sender.ts';
import type { Outcome } from './result.ts';

/** Problem codes of answers after which the call may have been done all the same. */
const UNKNOWN_CODES = ['outcome_unknown', 'idempotency_key_in_progress', 'internal_error'];
/** Problem codes of the service's own refusals: nothing was written. */
const REFUSED_CODES = ['overloaded', 'unavailable', 'not_ready', 'rate_limited'];
/** Problem codes by which the ledger itself decides against a payment. */
const DECLINED_CODES = [
  'insufficient_funds',
  'balance_limit_exceeded',
  'expired',
  'account_frozen',
  'account_closed',
  'nothing_held',
  'capture_exceeds_held',
  'authorization_expired',
  'refund_exceeds_captured',
];

export interface Told {
  readonly outcome: Outcome;
  /** Of an answer that was no success, for a person. */
  readonly answer: string;
  /** null: it was no JSON object. */
  readonly body: Readonly<Record<string, unknown>> | null;
}

export function told(answer: HttpAnswer): Told {
  if ('failure' in answer) {
    const outcome = answer.mayHaveArrived ? 'unknown' : 'refused';
    return { outcome, answer: answer.failure, body: null };
  }
  const { status } = answer;
  const body = parse(answer.body);
  if (status >= 200 && status < 300) {
    // An answer that was cut or made up by somebody between here and the service acknowledges nothing.
    return body === null
      ? { outcome: 'unknown', answer: `${status} without JSON`, body }
      : { outcome: 'ok', answer: '', body };
  }
  return { outcome: outcomeOf(status, body?.code), answer: `${status} ${answer.body.slice(0, 300)}`, body };
}

function outcomeOf(status: number, code: unknown): Outcome {
  if (UNKNOWN_CODES.includes(String(code))) return 'unknown';
  if (status === 422 && DECLINED_CODES.includes(String(code))) return 'declined';
  if (REFUSED_CODES.includes(String(code)) || status === 429) return 'refused';
  // A 503 of somebody else, such as a balancer that has lost the connection, may come after the service did it.
  return status >= 500 || status === 408 ? 'unknown' : 'failed';
}

function parse(body: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}

/** Turns whatever was thrown while a request was handled into the problem that the client sees. */
import { LedgerError, type LedgerErrorCode } from '../ledger/errors.ts';
import type { RejectionReason } from '../ledger/types.ts';
import { requestOf } from '../payments/ids.ts';
import {
  type Changed,
  type Followed,
  PaymentsError,
  type PaymentView,
  type TransactionView,
} from '../payments/types.ts';
import { WebhookError } from '../webhooks/types.ts';
import { type FieldError, type ProblemCode, ProblemError } from './problem.ts';

/** The parts of a request that say where the fault is. */
export interface FaultyRequest {
  readonly body: unknown;
  readonly query: unknown;
}

/** Codes of Fastify's own refusals; any other 4xx is `invalid_request`. */
const FASTIFY_CODES: ReadonlyMap<string, [ProblemCode, string]> = new Map([
  ['FST_ERR_CTP_BODY_TOO_LARGE', ['body_too_large', 'The body is larger than this service accepts.']],
  ['FST_ERR_CTP_INVALID_MEDIA_TYPE', ['unsupported_media_type', 'Send the body with Content-Type: application/json.']],
  ['FST_ERR_CTP_EMPTY_TYPE', ['unsupported_media_type', 'Send the body with Content-Type: application/json.']],
  ['FST_ERR_MAX_PARAM_LENGTH', ['not_found', 'There is nothing with so long an id.']],
  ['FST_ERR_CTP_EMPTY_JSON_BODY', ['invalid_json', 'The body is empty.']],
]);

const INTERNAL_DETAIL =
  'Something unexpected went wrong here. Whether the request took effect is not known: send it again with the same Idempotency-Key to learn.';

/** Details where the ledger's own words are not what the client has to know. */
const LEDGER_DETAILS: Partial<Record<LedgerErrorCode, string>> = {
  outcome_unknown:
    'The outcome is unknown: it may or may not have happened, and will be settled. Send the same request with the same Idempotency-Key again to learn which.',
  unavailable: 'The journal cannot be reached. Nothing was written: send the same request again later.',
  overloaded: 'Too much is waiting already. Nothing was written: send the same request again later.',
};

export function toProblem(error: unknown, request: FaultyRequest): ProblemError {
  if (error instanceof ProblemError) return error;
  if (error instanceof LedgerError) return ledgerProblem(error, request.body);
  if (error instanceof PaymentsError) return paymentsProblem(error, request.query);
  if (error instanceof WebhookError) return webhookProblem(error);
  return frameworkProblem(error);
}

function ledgerProblem(error: LedgerError, body: unknown): ProblemError {
  const place = placeInBody(error, body);
  const detail = LEDGER_DETAILS[error.code] ?? error.message;
  return new ProblemError(error.code, detail, place === null ? {} : { errors: [{ ...place, detail }] });
}

function placeInBody(error: LedgerError, body: unknown): { header: string } | { pointer: string } | null {
  switch (error.code) {
    case 'account_not_found':
      return { pointer: pointerToLeg(error, body, 'account') };
    case 'currency_mismatch':
      return { pointer: pointerToLeg(error, body, 'currency') };
    case 'invalid_command':
      return {
        pointer: error.where.leg === undefined ? '' : pointerToLeg(error, body, 'account'),
      };
    case 'idempotency_key_reused':
    case 'idempotency_key_in_progress':
      return { header: 'Idempotency-Key' };
    case 'overloaded':
    case 'unavailable':
    case 'outcome_unknown':
      return null;
    default:
      return error.code satisfies never;
  }
}

/** Bodies have passed their schema: a payment has `source` and `destination`, a transaction has `postings`. */
function pointerToLeg({ where }: LedgerError, body: unknown, field: 'account' | 'currency'): string {
  const { source, destination, postings } = (body ?? {}) as {
    source?: string;
    destination?: string;
    postings?: { account: string }[];
  };
  if (postings !== undefined) {
    const index = where.leg ?? postings.findIndex((posting) => posting.account === where.account);
    return index < 0 ? '/postings' : `/postings/${index}/${field}`;
  }
  if (field === 'currency') return '/currency';
  if (where.account === source) return '/source';
  return where.account === destination ? '/destination' : '';
}

function paymentsProblem(error: PaymentsError, query: unknown): ProblemError {
  const at = (place: { pointer: string } | { parameter: string }): { errors: FieldError[] } => ({
    errors: [{ ...place, detail: error.message }],
  });
  switch (error.code) {
    case 'not_found':
      return new ProblemError('not_found', error.message);
    case 'not_reversible':
    case 'transaction_pending':
      return new ProblemError(error.code, error.message);
    case 'too_many_accounts':
      return new ProblemError('too_many_accounts', error.message, at({ parameter: 'prefix' }));
    case 'account_exists':
      return new ProblemError('account_exists', error.message, at({ pointer: '/id' }));
    case 'invalid_cursor':
      return new ProblemError('invalid_cursor', error.message, at({ parameter: cursorIn(query) }));
    default:
      return error.code satisfies never;
  }
}

function cursorIn(query: unknown): string {
  return ['ending_before', 'cursor'].find((name) => Object.hasOwn(query ?? {}, name)) ?? 'starting_after';
}

function webhookProblem({ code, message }: WebhookError): ProblemError {
  const errors = code === 'webhook_url_refused' ? [{ pointer: '/url', detail: message }] : [];
  return new ProblemError(code, message, { errors });
}

function frameworkProblem(error: unknown): ProblemError {
  const { code, statusCode } = (error ?? {}) as {
    code?: unknown;
    statusCode?: unknown;
  };
  const known = typeof code === 'string' ? FASTIFY_CODES.get(code) : undefined;
  if (known !== undefined) {
    const [problem, detail] = known;
    return new ProblemError(problem, detail, {
      errors: [{ pointer: '', detail }],
    });
  }
  if (typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500) {
    return new ProblemError('invalid_request', 'The request is malformed: check its URL, headers and body length.');
  }
  return new ProblemError('internal_error', INTERNAL_DETAIL);
}

const REJECTION_DETAILS = {
  insufficient_funds: 'An account that gives does not have that much available. Nothing was moved.',
  balance_limit_exceeded: 'An account that receives would go beyond its highest balance. Nothing was moved.',
  expired: 'It was not carried out while it was young enough, and never will be. Nothing was moved.',
  account_frozen: 'An account that gives is frozen: nothing is taken from it or held on it. Nothing was moved.',
  account_closed: 'An account is closed, and stays so. Nothing was moved.',
  account_not_empty: 'An account is closed only when it holds nothing: empty it, and release what is held on it.',
  nothing_held: 'It was posted at once, captured, canceled or has expired: there is nothing to capture or cancel.',
  capture_exceeds_held: 'Less than that is still held for the payment. Nothing was moved.',
  authorization_expired: 'What was held for the payment can no longer be captured. Nothing was moved.',
  not_expired: 'What is held for the payment can still be captured. Nothing was moved.',
  refund_exceeds_captured: 'What was captured and not refunded yet is less than that. Nothing was moved.',
  already_reversed: 'A transaction is reversed once. Nothing was moved.',
} as const satisfies Record<RejectionReason, string>;

/**
 * A payment or transaction that the ledger decided against. Made of the decision alone, so that a replay has the same
 * body: its `instance` and `request_id` are those of what was decided, not of the request that asks again.
 */
export function rejectionProblem(rejected: PaymentView | TransactionView, replayed: boolean): ProblemError {
  const isPayment = 'transactionId' in rejected;
  return decidedAgainst(
    rejected.rejectionReason,
    {
      instance: `/v1/${isPayment ? 'payments' : 'transactions'}/${rejected.id}`,
      transactionId: isPayment ? rejected.transactionId : rejected.id,
      members: isPayment ? { payment_id: rejected.id } : {},
    },
    replayed,
  );
}

/** The same for a capture, cancel or refund of a payment. */
export function followedProblem(
  { payment, transactionId, rejectionReason }: Followed,
  replayed: boolean,
): ProblemError {
  const instance = `/v1/payments/${payment.id}`;
  return decidedAgainst(rejectionReason, { instance, transactionId, members: { payment_id: payment.id } }, replayed);
}

/** The same for a change of an account. */
export function changedProblem({ account, transactionId, rejectionReason }: Changed, replayed: boolean): ProblemError {
  const instance = `/v1/accounts/${account.id}`;
  return decidedAgainst(rejectionReason, { instance, transactionId, members: { account_id: account.id } }, replayed);
}

interface Decided {
  readonly instance: string;
  /** Of what was decided. */
  readonly transactionId: string;
  readonly members: Readonly<Record<string, string>>;
}

function decidedAgainst(
  reason: RejectionReason | null,
  { instance, transactionId, members }: Decided,
  replayed: boolean,
): ProblemError {
  if (reason === null) throw new Error(`${transactionId} is rejected without a reason`);
  return new ProblemError(reason, REJECTION_DETAILS[reason], {
    instance,
    requestId: requestOf(transactionId),
    members: { ...members, transaction_id: transactionId },
    headers: replayed ? { 'idempotent-replayed': 'true' } : {},
  });
}

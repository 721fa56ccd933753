/** Turns whatever was thrown while a request was handled into the problem that the client sees. */
import { LedgerError, type LedgerErrorCode } from '../ledger/errors.ts';
import { PaymentsError, type PaymentView, type TransactionView } from '../payments/types.ts';
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
    case 'account_exists':
      return new ProblemError('account_exists', error.message, at({ pointer: '/id' }));
    case 'invalid_cursor': {
      const before = Object.hasOwn(query ?? {}, 'ending_before') && (query as { ending_before?: string }).ending_before;
      return new ProblemError(
        'invalid_cursor',
        error.message,
        at({ parameter: before ? 'ending_before' : 'starting_after' }),
      );
    }
    default:
      return error.code satisfies never;
  }
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
} as const;

/**
 * A payment or transaction that the ledger decided against. Made of the decision alone, so that a replay has the same
 * body: its `instance` and `request_id` are those of what was decided, not of the request that asks again.
 */
export function rejectionProblem(rejected: PaymentView | TransactionView, replayed: boolean): ProblemError {
  const code = rejected.rejectionReason;
  if (code === null) throw new Error(`${rejected.id} is rejected without a reason`);
  const isPayment = 'transactionId' in rejected;
  return new ProblemError(code, REJECTION_DETAILS[code], {
    instance: `/v1/${isPayment ? 'payments' : 'transactions'}/${rejected.id}`,
    requestId: `req_${rejected.id.slice(rejected.id.indexOf('_') + 1)}`,
    members: isPayment
      ? { payment_id: rejected.id, transaction_id: rejected.transactionId }
      : { transaction_id: rejected.id },
    headers: replayed ? { 'idempotent-replayed': 'true' } : {},
  });
}

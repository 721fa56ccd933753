import { isTransient, LedgerError, type LedgerErrorCode } from '../ledger/errors.ts';
import { SQS_CLIENT } from '../payments/callers.ts';
import { type Answer, type Caller, type Followed, type Payments, PaymentsError } from '../payments/types.ts';
import { type InboundEvent, type ParsedEvent, parseEvent } from './event.ts';
import type { Received } from './message.ts';

/** What events ask for. */
export type EventPayments = Pick<Payments, 'createPayment' | 'capturePayment' | 'cancelPayment' | 'refundPayment'>;

/**
 * Why a message was dead-lettered: its body is no event, the ledger refuses it for good (the ledger's own code), the
 * payment that it is about never came, or it was received too often without ever being settled.
 */
export type DeadLetterReason =
  | Extract<ParsedEvent, { ok: false }>['reason']
  | LedgerErrorCode
  | 'not_found'
  | 'too_many_receives';

export type EventErrorCode = LedgerErrorCode | 'not_found' | 'invalid_event' | 'unexpected_error';

/** What is to become of a message; {@link Consumer} says what it does about each. */
export type Verdict =
  | { readonly kind: 'posted' | 'replayed' | 'rejected' }
  | {
      readonly kind: 'dead_letter';
      readonly reason: DeadLetterReason;
      readonly code: EventErrorCode;
      readonly detail: string;
    }
  | {
      readonly kind: 'retry';
      readonly code: EventErrorCode;
      readonly error: unknown;
    };

/** Reads the body and does what it asks for. Waits at most `workTimeoutMs` for the ledger. Never throws. */
export async function judge(
  { body, messageId }: Pick<Received, 'body' | 'messageId'>,
  payments: EventPayments,
  workTimeoutMs: number,
): Promise<Verdict> {
  const parsed = parseEvent(body);
  if (!parsed.ok)
    return {
      kind: 'dead_letter',
      reason: parsed.reason,
      code: 'invalid_event',
      detail: parsed.detail,
    };
  try {
    return await within(workTimeoutMs, act(parsed.event, messageId, payments));
  } catch (error) {
    return judgeError(error);
  }
}

async function act(event: InboundEvent, requestId: string, payments: EventPayments): Promise<Verdict> {
  const { isRejected, replayed } = await ask(event, payments, { client: SQS_CLIENT, key: event.id, requestId });
  if (replayed) return { kind: 'replayed' };
  return { kind: isRejected ? 'rejected' : 'posted' };
}

interface Outcome {
  readonly isRejected: boolean;
  readonly replayed: boolean;
}

async function ask({ type, data }: InboundEvent, payments: EventPayments, caller: Caller): Promise<Outcome> {
  switch (type) {
    case 'payment.requested': {
      const { value, replayed } = await payments.createPayment(data, caller);
      return { isRejected: value.status === 'rejected', replayed };
    }
    case 'payment.capture_requested':
      return outcomeOf(await payments.capturePayment(data.payment, data.request, caller));
    case 'payment.cancel_requested':
      return outcomeOf(await payments.cancelPayment(data.payment, data.request, caller));
    case 'payment.refund_requested':
      return outcomeOf(await payments.refundPayment(data.payment, data.request, caller));
    default:
      return type satisfies never;
  }
}

function outcomeOf({ value, replayed }: Answer<Followed>): Outcome {
  return { isRejected: value.rejectionReason !== null, replayed };
}

/** What is not known to be final may still end well: an error that we do not know is one of those. */
function judgeError(error: unknown): Verdict {
  // Its payment may still be on its way: an event may overtake another, and a server be behind.
  if (error instanceof PaymentsError && error.code === 'not_found') return { kind: 'retry', code: error.code, error };
  if (!(error instanceof LedgerError)) return { kind: 'retry', code: 'unexpected_error', error };
  if (isTransient(error.code)) return { kind: 'retry', code: error.code, error };
  return {
    kind: 'dead_letter',
    reason: error.code,
    code: error.code,
    detail: error.message,
  };
}

/** The work goes on after the time is up; only nobody waits for it. The same key finds its outcome later. */
async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new LedgerError('outcome_unknown', `the ledger gave no answer within ${ms} ms`)),
      ms,
    );
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

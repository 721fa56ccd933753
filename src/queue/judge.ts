import { isTransient, LedgerError, type LedgerErrorCode } from '../ledger/errors.ts';
import { SQS_CLIENT } from '../payments/callers.ts';
import { type Answer, type Caller, type Followed, type Payments, PaymentsError } from '../payments/types.ts';
import type { InboundEvent, ReadEvent } from './event.ts';

/** What events ask for. */
export type EventPayments = Pick<Payments, 'createPayment' | 'capturePayment' | 'cancelPayment' | 'refundPayment'>;

/**
 * Why a message was dead-lettered: its body is no event, the ledger refuses it for good (the ledger's own code), the
 * payment that it is about never came, it is older than is allowed, or it was received too often without ever being
 * settled.
 */
export type DeadLetterReason =
  | Extract<ReadEvent, { ok: false }>['reason']
  | LedgerErrorCode
  | 'not_found'
  | 'too_old'
  | 'too_many_receives';

export type EventErrorCode = LedgerErrorCode | 'not_found' | 'invalid_event' | 'too_old' | 'unexpected_error';

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

export interface JudgeOptions {
  /** Of the message, for the log. */
  readonly messageId: string;
  /** How long to wait for the ledger, ms. */
  readonly workTimeoutMs: number;
  /** The event may only be found done: it came too late to be begun. Null: it is done. */
  readonly tooOld: string | null;
}

/** Does what the event asks for. Never throws. */
export async function judge(read: ReadEvent, payments: EventPayments, options: JudgeOptions): Promise<Verdict> {
  if (!read.ok) return { kind: 'dead_letter', reason: read.reason, code: 'invalid_event', detail: read.detail };
  const { messageId, workTimeoutMs, tooOld } = options;
  const caller: Caller = { client: SQS_CLIENT, key: read.event.id, requestId: messageId };
  try {
    if (tooOld !== null && !(await within(workTimeoutMs, isKnown(read.event, payments, caller)))) {
      return { kind: 'dead_letter', reason: 'too_old', code: 'too_old', detail: tooOld };
    }
    return await within(workTimeoutMs, act(read.event, payments, caller));
  } catch (error) {
    return judgeError(error);
  }
}

async function act(event: InboundEvent, payments: EventPayments, caller: Caller): Promise<Verdict> {
  const { isRejected, replayed } = await ask(event, payments, caller);
  if (replayed) return { kind: 'replayed' };
  return { kind: isRejected ? 'rejected' : 'posted' };
}

/** An earlier delivery may have begun it: then it has an outcome, or is about to. */
async function isKnown(event: InboundEvent, payments: EventPayments, caller: Caller): Promise<boolean> {
  try {
    return (await ask(event, payments, { ...caller, dryRun: true })).replayed;
  } catch (error) {
    // Begun, and used with other data: both are found by what is to be done with it.
    if (error instanceof LedgerError && error.code.startsWith('idempotency_key_')) return true;
    const isFinal = error instanceof LedgerError ? !isTransient(error.code) : error instanceof PaymentsError;
    if (isFinal) return false;
    throw error;
  }
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
  return { kind: 'dead_letter', reason: error.code, code: error.code, detail: error.message };
}

/** The work goes on after the time is up; only nobody waits for it. The same key finds its outcome later. */
function within<T>(ms: number, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = () => reject(new LedgerError('outcome_unknown', `the ledger gave no answer within ${ms} ms`));
    const timer = setTimeout(late, ms);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

import { isTransient, LedgerError, type LedgerErrorCode } from '../ledger/errors.ts';
import type { Payments } from '../payments/types.ts';
import { type InboundEvent, type ParsedEvent, parseEvent } from './event.ts';

/** The client that events act as: an event's key is `sqs/<event id>`. */
const SQS_CLIENT = 'sqs';

/**
 * Why a message was dead-lettered: its body is no event, the ledger refuses it for good (the ledger's own code), or it
 * was received too often without ever being settled.
 */
export type DeadLetterReason = Extract<ParsedEvent, { ok: false }>['reason'] | LedgerErrorCode | 'too_many_receives';

export type EventErrorCode = LedgerErrorCode | 'invalid_event' | 'unexpected_error';

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
  body: string,
  payments: Pick<Payments, 'createPayment'>,
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
    return await within(workTimeoutMs, act(parsed.event, payments));
  } catch (error) {
    return judgeError(error);
  }
}

async function act(event: InboundEvent, payments: Pick<Payments, 'createPayment'>): Promise<Verdict> {
  const answer = await payments.createPayment(event.data, {
    client: SQS_CLIENT,
    key: event.id,
  });
  return { kind: answer.replayed ? 'replayed' : answer.value.status };
}

/** What is not known to be final may still end well: an error that we do not know is one of those. */
function judgeError(error: unknown): Verdict {
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

import type { EventResource } from '../events/schemas.ts';
import { type SignatureFault, verify } from '../events/signature.ts';

const TOLERANCE_SECONDS = 300;

/** What was received is not an event of ours, or cannot be told from one that was sent long ago. */
export class WebhookError extends Error {
  override readonly name = 'WebhookError';
  constructor(readonly code: SignatureFault | 'malformed_payload') {
    super(MESSAGES[code]);
  }
}

const MESSAGES: Readonly<Record<WebhookError['code'], string>> = {
  malformed_header: 'the signature header is missing or malformed',
  wrong_signature: 'no secret makes this signature: somebody else sent it, or the body was changed on its way',
  outside_tolerance: 'it was signed too long ago, or too far ahead: an old one sent again, or a clock that is wrong',
  malformed_payload: 'the body is no event',
};

export interface VerifyOptions {
  /** How old, or how far ahead, a signature may be; 300 s unless given. */
  readonly toleranceSeconds?: number;
  /** The time that it is, for tests. */
  readonly now?: Date;
}

/**
 * The event in what was received, if we sent it.
 *
 * @param payload The body to the byte, before anything has parsed it.
 * @param header The signature header; undefined: there was none.
 * @param secrets The secret of the endpoint; several while one replaces another.
 * @returns The same event has the same `id` when it is sent again.
 * @throws WebhookError
 */
export function verifyWebhook(
  payload: string | Uint8Array,
  header: string | undefined,
  secrets: string | readonly string[],
  { toleranceSeconds = TOLERANCE_SECONDS, now = new Date() }: VerifyOptions = {},
): EventResource {
  const all = typeof secrets === 'string' ? [secrets] : secrets;
  const result = verify(payload, header ?? '', all, Math.floor(now.getTime() / 1000), toleranceSeconds);
  if (result !== true) throw new WebhookError(result);
  return eventOf(typeof payload === 'string' ? payload : new TextDecoder().decode(payload));
}

function eventOf(text: string): EventResource {
  let event: unknown;
  try {
    event = JSON.parse(text);
  } catch {
    throw new WebhookError('malformed_payload');
  }
  const { id, type } = (event ?? {}) as Record<string, unknown>;
  if (typeof id !== 'string' || typeof type !== 'string') throw new WebhookError('malformed_payload');
  return event as EventResource;
}

/** Inbound events: JSON bodies of SQS messages. */
import { z } from 'zod';
import { createPayment } from '../payments/schema.ts';

/** The idempotency key of what the event asks for, kept for ever. Not the id of the SQS message, which changes. */
const eventId = z.string().regex(/^[\x20-\x7e]{1,255}$/, 'must be 1 to 255 printable ASCII characters');

/** `{"id", "type": "payment.requested", "data": {… as POST /v1/payments …}}` */
const paymentRequested = z.strictObject({
  id: eventId,
  type: z.literal('payment.requested'),
  data: createPayment,
});

const inboundEvent = z.discriminatedUnion('type', [paymentRequested]);
export type InboundEvent = z.output<typeof inboundEvent>;

const EVENT_TYPES: ReadonlySet<string> = new Set<InboundEvent['type']>(['payment.requested']);
const DETAIL_ISSUES_MAX = 5;

export type ParsedEvent =
  | { readonly ok: true; readonly event: InboundEvent }
  | {
      readonly ok: false;
      readonly reason: 'malformed_json' | 'schema_violation' | 'unknown_type';
      /** What is wrong and where, for a person. */
      readonly detail: string;
    };

/** Never throws. */
export function parseEvent(body: string): ParsedEvent {
  let json: unknown;
  let setsPrototype = false;
  try {
    json = JSON.parse(body, (key, value: unknown) => {
      if (key === '__proto__') setsPrototype = true;
      return value;
    });
  } catch (error) {
    return { ok: false, reason: 'malformed_json', detail: error instanceof Error ? error.message : String(error) };
  }
  // Refused here, because a schema of free keys (metadata) drops this one without a word.
  if (setsPrototype) return { ok: false, reason: 'schema_violation', detail: 'the key __proto__ is not allowed' };
  const type = typeOf(json);
  if (type !== undefined && !EVENT_TYPES.has(type)) {
    return {
      ok: false,
      reason: 'unknown_type',
      detail: `/type: ${JSON.stringify(type)} is not an event of this service; known: ${[...EVENT_TYPES].join(', ')}`,
    };
  }
  const parsed = inboundEvent.safeParse(json);
  if (parsed.success) return { ok: true, event: parsed.data };
  return {
    ok: false,
    reason: 'schema_violation',
    detail: describe(parsed.error),
  };
}

function typeOf(json: unknown): string | undefined {
  if (typeof json !== 'object' || json === null || !('type' in json)) return undefined;
  return typeof json.type === 'string' ? json.type : undefined;
}

/** `/data/amount: must be …; /data/currency: must be …`: each issue with its JSON pointer, the first few of them. */
function describe(error: z.ZodError): string {
  const issues = error.issues.slice(0, DETAIL_ISSUES_MAX).map((issue) => `${pointer(issue.path)}: ${issue.message}`);
  const more = error.issues.length - issues.length;
  return more > 0 ? `${issues.join('; ')}; and ${more} more` : issues.join('; ');
}

function pointer(path: readonly PropertyKey[]): string {
  return path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('') || 'the event';
}

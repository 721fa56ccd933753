/** Inbound events, taken out of what they were sent in by body.ts. */
import { z } from 'zod';
import { cancelRequest, captureRequest, createPayment, idempotencyKey, refundRequest } from '../payments/schema.ts';
import type { TraceParent } from '../payments/types.ts';
import { type OpenedBody, openBody } from './body.ts';

/** `{"id", "type", "data"}`. Its id is the key, and not that of the SQS message, which changes. */
function event<Type extends string, Data extends z.ZodType>(type: Type, data: Data) {
  return z.strictObject({ id: idempotencyKey, type: z.literal(type), data });
}

/** The `data` of each is what the API takes as a body; of those about a payment together with its id. */
const EVENTS = [
  event('payment.requested', createPayment),
  event('payment.capture_requested', captureRequest),
  event('payment.cancel_requested', cancelRequest),
  event('payment.refund_requested', refundRequest),
] as const;

const inboundEvent = z.discriminatedUnion('type', EVENTS);
export type InboundEvent = z.output<typeof inboundEvent>;

const EVENT_TYPES: ReadonlySet<string> = new Set(EVENTS.map(({ shape }) => shape.type.value));
const DETAIL_ISSUES_MAX = 5;
const DETAIL_CHARACTERS_MAX = 500;
/** Of all objects and lists in it. */
const FIELDS_MAX = 2_000;

export type ParsedEvent =
  | { readonly ok: true; readonly event: InboundEvent }
  | {
      readonly ok: false;
      readonly reason: 'schema_violation' | 'unknown_type';
      /** What is wrong and where, for a person. */
      readonly detail: string;
    };

export type ReadEvent =
  | { readonly ok: true; readonly event: InboundEvent; readonly traceParent: TraceParent }
  | Extract<OpenedBody | ParsedEvent, { ok: false }>;

/** The event in a message, whatever it was sent in. Never throws. */
export function readEvent(message: Parameters<typeof openBody>[0]): ReadEvent {
  const opened = openBody(message);
  if (!opened.ok) return { ...opened, detail: shortened(opened.detail) };
  const parsed = parseEvent(opened.json);
  if (parsed.ok) return { ...parsed, traceParent: opened.traceParent };
  return { ...parsed, detail: shortened(parsed.detail) };
}

/** A copy: a part of a text keeps all of it in memory. */
function shortened(detail: string): string {
  return Buffer.from(detail.slice(0, DETAIL_CHARACTERS_MAX)).toString();
}

/** Of one that holds more, no schema is asked, which would look at all of it before it says so. */
function isTooWide(json: unknown): boolean {
  const open = [json];
  for (let seen = 0; open.length > 0; ) {
    const value = open.pop();
    if (typeof value !== 'object' || value === null) continue;
    for (const key in value) {
      if (++seen > FIELDS_MAX) return true;
      open.push((value as Record<string, unknown>)[key]);
    }
  }
  return false;
}

function parseEvent(json: unknown): ParsedEvent {
  if (isTooWide(json)) {
    return { ok: false, reason: 'schema_violation', detail: `the event has more than ${FIELDS_MAX} fields` };
  }
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
  return { ok: false, reason: 'schema_violation', detail: describe(parsed.error) };
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

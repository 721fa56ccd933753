import type { TraceParent } from '../payments/types.ts';
import { decompress } from './compression.ts';
import type { Received } from './message.ts';

/** Of an event once it is unpacked; no event that the schemas allow is near to it. */
const UNPACKED_BYTES_MAX = 1 << 20;
/** An event in an envelope in an envelope: EventBridge to SNS to SQS, each of which may be compressed. */
const LAYERS_MAX = 5;
/** Of the libraries for payloads in S3: `["software.amazon.payloadoffloading.PayloadS3Pointer", {…}]` and older names. */
const POINTER = /^\s*\[\s*"[\w.]*(?:PayloadS3Pointer|MessageS3Pointer)"/;
const POINTER_DETAIL =
  'the payload is elsewhere (in S3), and this service does not fetch it; send the event itself, compressed if it is large';

export type OpenedBody =
  | {
      readonly ok: true;
      /** Of the innermost envelope. */
      readonly json: unknown;
      readonly traceParent: TraceParent;
    }
  | {
      readonly ok: false;
      readonly reason: 'malformed_json' | 'schema_violation' | 'unreadable_body' | 'payload_pointer';
      readonly detail: string;
    };

class Refusal extends Error {
  constructor(
    readonly reason: Extract<OpenedBody, { ok: false }>['reason'],
    detail: string,
  ) {
    super(detail);
  }
}

/**
 * Takes an event out of what it was sent in: compressed and in base64 (attribute `content_encoding`: gzip, deflate, br;
 * gzip is also seen by itself), the notification of an SNS topic, the `detail` of an EventBridge event. Never throws.
 */
export function openBody(message: Pick<Received, 'body' | 'encoding' | 'isPointer' | 'traceParent'>): OpenedBody {
  try {
    return { ok: true, ...open(message) };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { ok: false, reason: error.reason, detail: error.message };
  }
}

function open(message: Pick<Received, 'body' | 'encoding' | 'isPointer' | 'traceParent'>) {
  let { body, encoding, traceParent } = message;
  if (message.isPointer || POINTER.test(body)) throw new Refusal('payload_pointer', POINTER_DETAIL);
  for (let layer = 0; layer < LAYERS_MAX; layer++) {
    body = unpack(body, encoding);
    const json = parse(body);
    if (isNotification(json)) {
      body = json.Message;
      encoding = attribute(json, 'content_encoding') ?? null;
      // Of what sent it to the topic; the message's own would be of the topic.
      const traceparent = attribute(json, 'traceparent');
      if (traceparent !== undefined) traceParent = { traceparent, tracestate: attribute(json, 'tracestate') };
      if (POINTER.test(body)) throw new Refusal('payload_pointer', POINTER_DETAIL);
      continue;
    }
    return { json: isEventBridge(json) ? json.detail : json, traceParent };
  }
  throw new Refusal('unreadable_body', `more than ${LAYERS_MAX} envelopes in each other`);
}

function unpack(body: string, encoding: string | null): string {
  try {
    return decompress(body, encoding, UNPACKED_BYTES_MAX);
  } catch (error) {
    throw new Refusal('unreadable_body', (error as Error).message);
  }
}

function parse(body: string): unknown {
  let setsPrototype = false;
  // Asked only when it might be there: a reviver makes parsing several times slower.
  const mightSet = body.includes('__proto__') || body.includes('\\u');
  const reviver = (key: string, value: unknown) => {
    if (key === '__proto__') setsPrototype = true;
    return value;
  };
  let json: unknown;
  try {
    json = mightSet ? JSON.parse(body, reviver) : JSON.parse(body);
  } catch (error) {
    throw new Refusal('malformed_json', error instanceof Error ? error.message : String(error));
  }
  // Refused here, because a schema of free keys (metadata) drops this one without a word.
  if (setsPrototype) throw new Refusal('schema_violation', 'the key __proto__ is not allowed');
  return json;
}

interface Notification {
  readonly Type: 'Notification';
  readonly Message: string;
  readonly MessageAttributes?: unknown;
}

function isNotification(json: unknown): json is Notification {
  if (!isObject(json)) return false;
  return json.Type === 'Notification' && typeof json.Message === 'string' && typeof json.TopicArn === 'string';
}

function attribute({ MessageAttributes }: Notification, name: string): string | undefined {
  const found = isObject(MessageAttributes) && Object.hasOwn(MessageAttributes, name) ? MessageAttributes[name] : null;
  return isObject(found) && typeof found.Value === 'string' ? found.Value : undefined;
}

function isEventBridge(json: unknown): json is { readonly detail: unknown } {
  return (
    isObject(json) && typeof json['detail-type'] === 'string' && typeof json.source === 'string' && 'detail' in json
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

import type { Message, MessageSystemAttributeName } from '@aws-sdk/client-sqs';
import type { TraceParent } from '../payments/types.ts';
import { traceParentOf } from './trace-header.ts';

/** What is asked for with each message. */
export const SYSTEM_ATTRIBUTES: MessageSystemAttributeName[] = [
  'ApproximateReceiveCount',
  'SentTimestamp',
  'MessageGroupId',
  'AWSTraceHeader',
];
/** Of those that its sender gave it. */
export const ATTRIBUTES = ['traceparent', 'tracestate', 'content_encoding', 'history', 'ExtendedPayloadSize'];

/** A message in hand. */
export interface Received {
  /** Of this delivery to the queue; a redrive gives another. Never a key for anything. */
  readonly messageId: string;
  /** Deletes the message or changes its visibility, for as long as this receive is the latest. */
  readonly receipt: string;
  readonly body: string;
  /** How often the queue has handed it out, this time included. */
  readonly receiveCount: number;
  /** By the server's clock, ms since 1970; null: it did not say. */
  readonly sentAt: number | null;
  /** Null: it has none. Of a standard queue it says nothing of the order. */
  readonly group: string | null;
  /** How the body is compressed (its attribute `content_encoding`); null: not, or it is to be seen by itself. */
  readonly encoding: string | null;
  /** Of a redriven message: how it became a dead letter before, as its attribute says. */
  readonly history: string | null;
  /** Does it say that its payload is elsewhere? */
  readonly isPointer: boolean;
  /** By its attributes `traceparent` and `tracestate`, or the one of X-Ray. */
  readonly traceParent: TraceParent;
}

/** Undefined when the server gave no receipt: there is nothing that could be done with such a message. */
export function toReceived({
  MessageId,
  ReceiptHandle,
  Body,
  Attributes,
  MessageAttributes,
}: Message): Received | undefined {
  if (ReceiptHandle === undefined) return undefined;
  const text = (name: string) => MessageAttributes?.[name]?.StringValue;
  const sentAt = Number(Attributes?.SentTimestamp);
  return {
    messageId: MessageId ?? 'unknown',
    receipt: ReceiptHandle,
    body: Body ?? '',
    receiveCount: Number(Attributes?.ApproximateReceiveCount ?? 1),
    sentAt: Number.isFinite(sentAt) ? sentAt : null,
    group: Attributes?.MessageGroupId ?? null,
    encoding: text('content_encoding') ?? null,
    history: text('history') ?? null,
    isPointer: MessageAttributes?.ExtendedPayloadSize !== undefined,
    traceParent: {
      traceparent: text('traceparent') ?? traceParentOf(Attributes?.AWSTraceHeader),
      tracestate: text('tracestate'),
    },
  };
}

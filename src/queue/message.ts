import type { Message } from '@aws-sdk/client-sqs';
import type { TraceParent } from '../payments/types.ts';

/** A message in hand. */
export interface Received {
  /** Of this delivery to the queue; a redrive gives another. Never a key for anything. */
  readonly messageId: string;
  /** Deletes the message or changes its visibility, for as long as this receive is the latest. */
  readonly receipt: string;
  readonly body: string;
  /** How often the queue has handed it out, this time included. */
  readonly receiveCount: number;
  /** By its attributes `traceparent` and `tracestate`. */
  readonly traceParent: TraceParent;
}

/** Undefined when the server gave no receipt: there is nothing that could be done with such a message. */
export function toReceived(message: Message): Received | undefined {
  if (message.ReceiptHandle === undefined) return undefined;
  return {
    messageId: message.MessageId ?? 'unknown',
    receipt: message.ReceiptHandle,
    body: message.Body ?? '',
    receiveCount: Number(message.Attributes?.ApproximateReceiveCount ?? 1),
    traceParent: {
      traceparent: message.MessageAttributes?.traceparent?.StringValue,
      tracestate: message.MessageAttributes?.tracestate?.StringValue,
    },
  };
}

import { type MessageAttributeValue, SendMessageCommand, type SQSClient } from '@aws-sdk/client-sqs';
import type { DeadLetterReason, EventErrorCode } from './judge.ts';
import type { Received } from './message.ts';

const DETAIL_CHARACTERS_MAX = 500;

export interface DeadLetter {
  readonly reason: DeadLetterReason;
  readonly code: EventErrorCode;
  readonly detail: string;
}

/**
 * Sends the unchanged body to the dead-letter queue, with message attributes that say why it is there: `reason`, `code`
 * (exact error code), `detail` (for a person), `original_message_id` and `receive_count`. Rejects when the queue did not
 * take it.
 */
export async function sendDeadLetter(
  client: SQSClient,
  queueUrl: string,
  message: Received,
  letter: DeadLetter,
): Promise<void> {
  await client.send(
    new SendMessageCommand({
      QueueUrl: queueUrl,
      MessageBody: message.body,
      MessageAttributes: {
        reason: text(letter.reason),
        code: text(letter.code),
        detail: text(printable(letter.detail)),
        original_message_id: text(message.messageId),
        receive_count: {
          DataType: 'Number',
          StringValue: String(message.receiveCount),
        },
      },
    }),
  );
}

function text(value: string): MessageAttributeValue {
  return { DataType: 'String', StringValue: value };
}

/** A detail quotes what somebody sent. SQS refuses some characters and empty attributes; a terminal obeys others. */
function printable(detail: string): string {
  return detail.replace(/[^\x20-\x7e]/g, '?').slice(0, DETAIL_CHARACTERS_MAX) || '-';
}

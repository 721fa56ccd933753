import { setTimeout as sleep } from 'node:timers/promises';
import {
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import type { PlannedPayment } from './plan.ts';

const BATCH = 10;
const DRAIN_MS_MAX = 60_000;

/** Sends every event as often as planned, the second time some way behind the first. */
export async function sendEvents(
  client: SQSClient,
  queueUrl: string,
  events: readonly PlannedPayment[],
  malformed: readonly string[],
): Promise<number> {
  const bodies = events.map(({ key, body }) => JSON.stringify({ id: key, type: 'payment.requested', data: body }));
  const again = bodies.filter((_, i) => events[i]!.times > 1);
  const all = [...bodies, ...again];
  // Spread the malformed ones among the others: none may hold up its neighbours.
  for (const [i, body] of malformed.entries()) all.splice(i * 90, 0, body);
  for (let i = 0; i < all.length; i += BATCH) {
    const Entries = all.slice(i, i + BATCH).map((MessageBody, n) => ({ Id: String(n), MessageBody }));
    const { Failed } = await client.send(new SendMessageBatchCommand({ QueueUrl: queueUrl, Entries }));
    if (Failed?.length) throw new Error(`the queue refused ${Failed.length} messages: ${Failed[0]!.Message}`);
  }
  return all.length;
}

async function depth(client: SQSClient, queueUrl: string): Promise<number> {
  const names = ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible'] as const;
  const answer = await client.send(new GetQueueAttributesCommand({ QueueUrl: queueUrl, AttributeNames: [...names] }));
  return names.reduce((sum, name) => sum + Number(answer.Attributes?.[name] ?? 0), 0);
}

/** Waits until nothing is left, in hand or waiting; answers what is left when it takes too long. */
export async function drained(client: SQSClient, queueUrl: string): Promise<number> {
  const until = Date.now() + DRAIN_MS_MAX;
  for (;;) {
    const left = await depth(client, queueUrl);
    if (left === 0 || Date.now() > until) return left;
    await sleep(250);
  }
}

/**
 * Takes all messages off a dead-letter queue; answers the reason of each original message, by its id. A consumer that is
 * killed between sending one there and deleting the original sends it once more when that is redelivered.
 */
export async function takeDeadLetters(client: SQSClient, queueUrl: string): Promise<ReadonlyMap<string, string>> {
  const reasons = new Map<string, string>();
  for (;;) {
    const answer = await client.send(
      new ReceiveMessageCommand({ QueueUrl: queueUrl, MaxNumberOfMessages: BATCH, MessageAttributeNames: ['All'] }),
    );
    if (!answer.Messages?.length) return reasons;
    for (const { MessageAttributes, MessageId, ReceiptHandle } of answer.Messages) {
      const original = MessageAttributes?.original_message_id?.StringValue ?? `not named by ${MessageId}`;
      reasons.set(original, MessageAttributes?.reason?.StringValue ?? 'no reason');
      await client.send(new DeleteMessageCommand({ QueueUrl: queueUrl, ReceiptHandle }));
    }
  }
}

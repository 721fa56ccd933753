import {
  CreateQueueCommand,
  DeleteQueueCommand,
  GetQueueAttributesCommand,
  SendMessageBatchCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import { uuidv7 } from 'uuidv7';
import { randomTransfer } from '../workload.ts';

const SENDERS = 8;
const BATCH = 10;
const POLL_MS = 20;

/** A new queue with so many events that each ask for a payment between random accounts. */
export async function fullQueue(client: SQSClient, count: number): Promise<string> {
  const { QueueUrl } = await client.send(new CreateQueueCommand({ QueueName: `bench-${uuidv7()}` }));
  let left = count;
  const send = async () => {
    while (left > 0) {
      const length = Math.min(BATCH, left);
      left -= length;
      const Entries = Array.from({ length }, (_, i) => ({ Id: String(i), MessageBody: event() }));
      await client.send(new SendMessageBatchCommand({ QueueUrl, Entries }));
    }
  };
  await Promise.all(Array.from({ length: SENDERS }, send));
  return QueueUrl!;
}

export async function removeQueue(client: SQSClient, QueueUrl: string): Promise<void> {
  await client.send(new DeleteQueueCommand({ QueueUrl }));
}

function event(): string {
  const { source, destination, amount } = randomTransfer('uniform');
  const id = uuidv7();
  const data = { source, destination, amount: Number(amount), currency: 'EUR', reference: id.slice(0, 18) };
  return JSON.stringify({ id, type: 'payment.requested', data });
}

/** Of the messages: what is deleted before it counts. How fast it begins is not how fast it is. */
const STARTING_SHARE = 0.1;

export interface Drained {
  /** Messages that were received and deleted a second, from when the first tenth was to when none was left. */
  readonly perSecond: number;
  readonly seconds: number;
  readonly messages: number;
}

/** Watches a queue of so many messages until it is empty. */
export async function drained(client: SQSClient, queueUrl: string, count: number): Promise<Drained> {
  let from: { readonly at: number; readonly left: number } | null = null;
  for (;;) {
    const { visible, hidden } = await sizeOf(client, queueUrl);
    const now = performance.now();
    const left = visible + hidden;
    if (left <= count * (1 - STARTING_SHARE)) from ??= { at: now, left };
    if (from !== null && left === 0) {
      const seconds = (now - from.at) / 1000;
      return { perSecond: from.left / seconds, seconds, messages: from.left };
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

async function sizeOf(client: SQSClient, QueueUrl: string): Promise<{ visible: number; hidden: number }> {
  const AttributeNames = ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible'] as const;
  const { Attributes } = await client.send(
    new GetQueueAttributesCommand({ QueueUrl, AttributeNames: [...AttributeNames] }),
  );
  const [visible, hidden] = AttributeNames.map((name) => Number(Attributes?.[name]));
  return { visible: visible!, hidden: hidden! };
}

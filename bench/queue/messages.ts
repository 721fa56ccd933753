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

/** Messages that are received and deleted a second: from when the first was received to when none is left. */
export async function drainRate(client: SQSClient, queueUrl: string, count: number): Promise<number> {
  let from: { readonly at: number; readonly left: number } | null = null;
  for (;;) {
    const { visible, hidden } = await sizeOf(client, queueUrl);
    const now = performance.now();
    if (visible < count) from ??= { at: now, left: visible + hidden };
    if (from !== null && visible + hidden === 0) return from.left / ((now - from.at) / 1000);
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

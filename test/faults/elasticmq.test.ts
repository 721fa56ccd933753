import {
  type BatchResultErrorEntry,
  DeleteMessageBatchCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import { expect, it, onTestFinished } from 'vitest';
import { clientOf } from '../queue/support/sqs.ts';
import { startElasticMq } from '../support/elasticmq.ts';
import { createQueue, sizeOf } from './support/queues.ts';

const SENDERS = 4;
const SENT_BEFORE_KILL = 1_000;

/** Sends until the server is gone. Answers the bodies that it said it has. */
async function sendUntilRefused(client: SQSClient, QueueUrl: string, sent: Set<string>, sender: number): Promise<void> {
  for (let n = 0; ; n += 10) {
    const bodies = Array.from({ length: 10 }, (_, i) => `${sender}-${n + i}`);
    const Entries = bodies.map((MessageBody, i) => ({ Id: String(i), MessageBody }));
    const answer = await client.send(new SendMessageBatchCommand({ QueueUrl, Entries })).catch(() => null);
    if (answer === null) return;
    for (const { Id } of answer.Successful ?? []) sent.add(bodies[Number(Id)]!);
  }
}

async function receive(client: SQSClient, QueueUrl: string) {
  const request = { QueueUrl, MaxNumberOfMessages: 10, VisibilityTimeout: 600 };
  const { Messages = [] } = await client.send(new ReceiveMessageCommand(request));
  return Messages.map(({ Body, ReceiptHandle }) => ({ body: Body!, receipt: ReceiptHandle! }));
}

async function remove(client: SQSClient, QueueUrl: string, receipts: string[]): Promise<BatchResultErrorEntry[]> {
  const Entries = receipts.map((ReceiptHandle, i) => ({ Id: String(i), ReceiptHandle }));
  return (await client.send(new DeleteMessageBatchCommand({ QueueUrl, Entries }))).Failed ?? [];
}

it('a durable server has every acknowledged send, delete and receive after SIGKILL', { timeout: 120_000 }, async () => {
  const server = await startElasticMq({ isDurable: true });
  onTestFinished(() => server.stop());
  const client = clientOf(server.endpoint);
  onTestFinished(() => client.destroy());
  const queue = await createQueue(client, 'events');
  const empty = await createQueue(client, 'empty');
  const sent = new Set<string>();
  const sending = Array.from({ length: SENDERS }, (_, sender) => sendUntilRefused(client, queue, sent, sender));
  await expect.poll(() => sent.size, { timeout: 60_000 }).toBeGreaterThan(SENT_BEFORE_KILL);
  await server.signal('SIGKILL');
  await Promise.all(sending);
  await server.restart();
  const { visible, hidden } = await sizeOf(client, queue);
  // It may have taken what it had no time to acknowledge.
  expect(visible).toBeGreaterThanOrEqual(sent.size);
  expect(visible).toBeLessThanOrEqual(sent.size + 10 * SENDERS);
  expect(hidden).toBe(0);
  expect(await sizeOf(client, empty)).toEqual({ visible: 0, hidden: 0 });

  const [gone, kept] = [await receive(client, queue), await receive(client, queue)];
  expect(
    await remove(
      client,
      queue,
      gone.map(({ receipt }) => receipt),
    ),
  ).toEqual([]);
  await server.signal('SIGKILL');
  await server.restart();
  expect(await sizeOf(client, queue)).toEqual({ visible: visible - 20, hidden: 10 });
  // Its receipts are good for what is still in hand.
  expect(
    await remove(
      client,
      queue,
      kept.map(({ receipt }) => receipt),
    ),
  ).toEqual([]);
  for (const { body } of [...gone, ...kept]) sent.delete(body);
  for (let left = visible - 20; left > 0; ) {
    const messages = await receive(client, queue);
    for (const { body } of messages) sent.delete(body);
    left -= messages.length;
  }
  expect(sent).toEqual(new Set());
});

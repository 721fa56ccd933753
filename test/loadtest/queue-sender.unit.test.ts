import { DeleteMessageCommand, ReceiveMessageCommand } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { QueueSender } from '../../src/loadtest/queue-sender.ts';
import { createSqsClient } from '../../src/queue/client.ts';
import { type EmbeddedSqs, startEmbeddedSqs } from '../../src/queue/embedded.ts';
import { startServer } from './support/local-server.ts';

const EVENT = { id: 'lt:r:7', type: 'payment.requested', data: { amount: 5 } };
let sqs: EmbeddedSqs;

beforeAll(async () => {
  vi.stubEnv('AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED', 'true');
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'test');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'test');
  sqs = await startEmbeddedSqs({
    queues: [{ name: 'plain' }, { name: 'ordered.fifo', attributes: { FifoQueue: 'true' } }],
  });
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await sqs.stop();
});

function senderTo(url: string, endpoint = sqs.endpoint, timeoutMs = 20_000): QueueSender {
  const sender = new QueueSender({ url, endpoint, region: sqs.region }, { connectionsMax: 10, timeoutMs });
  onTestFinished(() => sender.close());
  return sender;
}

/** All that is in a queue; of a group the next comes once the one before was deleted. */
async function received(url: string) {
  const client = createSqsClient(sqs);
  const found = [];
  for (;;) {
    const { Messages = [] } = await client.send(
      new ReceiveMessageCommand({ QueueUrl: url, MaxNumberOfMessages: 10, MessageSystemAttributeNames: ['All'] }),
    );
    if (Messages.length === 0) break;
    for (const { Body, Attributes, ReceiptHandle } of Messages) {
      found.push({ event: JSON.parse(Body!), group: Attributes?.MessageGroupId });
      await client.send(new DeleteMessageCommand({ QueueUrl: url, ReceiptHandle }));
    }
  }
  client.destroy();
  return found;
}

describe('an event for the queue', () => {
  test('is a message as the service reads it', async () => {
    const url = sqs.queueUrls.get('plain')!;
    await senderTo(url).send(EVENT, 'lt:r:w:1');
    expect(await received(url)).toEqual([{ event: EVENT, group: undefined }]);
  });

  test('is in order with others of its wallet in a FIFO queue, and is there once though it was sent twice', async () => {
    const url = sqs.queueUrls.get('ordered.fifo')!;
    const sender = senderTo(url);
    await sender.send(EVENT, 'lt:r:w:1');
    await sender.send(EVENT, 'lt:r:w:1');
    await sender.send({ ...EVENT, id: 'lt:r:8' }, 'lt:r:w:1');
    const messages = await received(url);
    expect(messages.map(({ event }) => event.id)).toEqual(['lt:r:7', 'lt:r:8']);
    expect(new Set(messages.map(({ group }) => group))).toEqual(new Set(['lt:r:w:1']));
  });

  test('is not taken by a queue that is not there', async () => {
    const url = sqs.queueUrls.get('plain')!.replace('plain', 'missing');
    await expect(senderTo(url).send(EVENT, 'g')).rejects.toThrow();
  });

  test.each([
    ['nothing', false],
    ['headers only', true],
  ])('is given up after its time when the queue answers %s', async (_, hasHeaders) => {
    const { address } = await startServer((_request, response) => {
      if (hasHeaders) response.writeHead(200, { 'content-type': 'application/x-amz-json-1.0' }).flushHeaders();
    });
    await expect(senderTo(`${address}/000000000000/plain`, address, 200).send(EVENT, 'g')).rejects.toThrow();
  });
});

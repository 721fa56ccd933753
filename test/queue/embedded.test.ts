import { SendMessageCommand } from '@aws-sdk/client-sqs';
import { describe, expect, it } from 'vitest';
import { createSqsClient } from '../../src/queue/client.ts';
import { DEAD_LETTER_QUEUE, EVENTS_QUEUE, startEmbeddedSqs } from '../../src/queue/embedded.ts';

describe('the embedded SQS server', () => {
  it('listens on the loopback interface with both queues, and is gone after stop', async () => {
    const server = await startEmbeddedSqs();
    const client = createSqsClient(server);
    try {
      expect(new URL(server.endpoint).hostname).toBe('127.0.0.1');
      expect([...server.queueUrls.keys()]).toEqual([EVENTS_QUEUE, DEAD_LETTER_QUEUE]);
      const QueueUrl = server.queueUrls.get(EVENTS_QUEUE);
      expect(await client.send(new SendMessageCommand({ QueueUrl, MessageBody: 'x' }))).toHaveProperty('MessageId');
    } finally {
      client.destroy();
      await server.stop();
    }
    await expect(fetch(server.endpoint)).rejects.toThrow('fetch failed');
  });

  it('says that a port is taken', async () => {
    const server = await startEmbeddedSqs();
    try {
      const port = Number(new URL(server.endpoint).port);
      await expect(startEmbeddedSqs({ port })).rejects.toThrow('EADDRINUSE');
    } finally {
      await server.stop();
    }
  });
});

/** What a dead letter holds, and in which form a large one finds its way. */
import { randomBytes, randomUUID } from 'node:crypto';
import { CreateQueueCommand, type Message, ReceiveMessageCommand, type SQSClient } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { decompress } from '../../src/queue/compression.ts';
import { type DeadLetter, DeadLetters } from '../../src/queue/dead-letter.ts';
import { startFaultyProxy } from './support/faulty-proxy.ts';
import { received, takingAtMost } from './support/letters.ts';
import { clientOf, startTestSqs, type TestSqs } from './support/sqs.ts';

const LETTER: DeadLetter = {
  reason: 'account_not_found',
  code: 'account_not_found',
  detail: 'there is no account bob',
};
const ORIGIN = '5fea7756-0ea4-451a-a703-a558b933e274';
let sqs: TestSqs;
let queueUrl: string;

beforeAll(async () => {
  sqs = await startTestSqs();
});
afterAll(() => sqs.stop());
beforeEach(async () => {
  queueUrl = await createQueue(sqs.client, randomUUID());
});

async function createQueue(client: SQSClient, name: string, Attributes = {}): Promise<string> {
  const { QueueUrl } = await client.send(new CreateQueueCommand({ QueueName: name, Attributes }));
  return QueueUrl!;
}

async function receiveAll(): Promise<Message[]> {
  const all: Message[] = [];
  for (;;) {
    const { Messages = [] } = await sqs.client.send(
      new ReceiveMessageCommand({
        QueueUrl: queueUrl,
        MaxNumberOfMessages: 10,
        MessageAttributeNames: ['All'],
        MessageSystemAttributeNames: ['MessageGroupId'],
      }),
    );
    if (Messages.length === 0) return all;
    all.push(...Messages);
  }
}

async function theOne(): Promise<{ body: string; attributes: Record<string, string | undefined>; group?: string }> {
  const [message, ...others] = await receiveAll();
  expect(others).toEqual([]);
  const attributes = Object.entries(message!.MessageAttributes ?? {}).map(([name, { StringValue }]) => [
    name,
    StringValue,
  ]);
  return {
    body: message!.Body!,
    attributes: Object.fromEntries(attributes),
    ...(message!.Attributes?.MessageGroupId === undefined ? {} : { group: message!.Attributes.MessageGroupId }),
  };
}

describe('a dead letter', () => {
  it('says why it is there, and carries on what its message had', async () => {
    const message = received('{}', {
      group: 'shop',
      encoding: 'deflate',
      traceParent: { traceparent: '00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01', tracestate: 'a=b' },
    });
    await new DeadLetters(sqs.client, queueUrl).send(message, LETTER);
    const { body, attributes } = await theOne();
    expect(body).toBe('{}');
    expect(attributes).toEqual({
      ...LETTER,
      original_message_id: ORIGIN,
      receive_count: '3',
      history: expect.any(String),
      message_group: 'shop',
      content_encoding: 'deflate',
      traceparent: '00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01',
      tracestate: 'a=b',
    });
    expect(JSON.parse(attributes.history!)).toEqual([
      {
        reason: 'account_not_found',
        code: 'account_not_found',
        at: expect.stringMatching(/^20.*Z$/),
        receive_count: 3,
        message_id: ORIGIN,
        sent_at: '2026-01-01T00:00:00.000Z',
      },
    ]);
  });

  it('goes to a FIFO queue in the group of its message, once', async () => {
    queueUrl = await createQueue(sqs.client, `${randomUUID()}.fifo`, { FifoQueue: 'true' });
    const letters = new DeadLetters(sqs.client, queueUrl);
    await letters.send(received('{}', { group: 'shop' }), LETTER);
    await letters.send(received('{}', { group: 'shop' }), LETTER);
    expect(await theOne()).toMatchObject({ body: '{}', group: 'shop' });
    await letters.send(received('{}', { messageId: 'of-no-group' }), LETTER);
    expect(await theOne()).toMatchObject({ group: 'of-no-group' });
  });

  it('shares its call with others', async () => {
    const proxy = await startFaultyProxy(sqs.endpoint);
    const client = clientOf(proxy.endpoint);
    const letters = new DeadLetters(client, queueUrl);
    await Promise.all(
      Array.from({ length: 40 }, (_, n) => letters.send(received('{}', { messageId: `m-${n}` }), LETTER)),
    );
    expect(proxy.seen.get('SendMessageBatch')).toBe(4);
    client.destroy();
    await proxy.stop();
    expect(await receiveAll()).toHaveLength(40);
  });
});

describe('a letter that is too large with all that it says', () => {
  const MAX = 262_144;
  const compressible = (bytes: number) => JSON.stringify({ id: 'x'.repeat(bytes - 9) });
  const incompressible = (bytes: number) => randomBytes(bytes).toString('base64').slice(0, bytes);
  const send = async (body: string, encoding: string | null = null) => {
    const { client, sizes } = takingAtMost(MAX, sqs.client);
    await new DeadLetters(client, queueUrl).send(received(body, { encoding }), LETTER);
    return { sizes, ...(await theOne()) };
  };
  const BRIEF = { reason: LETTER.reason, code: LETTER.code, original_message_id: ORIGIN };

  it('says less', async () => {
    const body = compressible(MAX - 200);
    const sent = await send(body);
    expect([sent.body === body, sent.attributes, sent.sizes.length]).toEqual([true, BRIEF, 2]);
  });

  it('is compressed, and then says all', async () => {
    const body = compressible(MAX - 10);
    const sent = await send(body);
    expect(sent.attributes).toMatchObject({ ...BRIEF, content_encoding: 'gzip', history: expect.any(String) });
    expect(decompress(sent.body, 'gzip', MAX)).toBe(body);
    expect(() => decompress(sent.body, 'gzip', MAX - 11)).toThrow('larger');
  });

  it('is its body alone, when that does not get smaller or is compressed already', async () => {
    const body = incompressible(MAX);
    expect(await send(body)).toMatchObject({ body, attributes: {} });
    expect(await send(compressible(MAX), 'gzip')).toMatchObject({ attributes: {}, sizes: { length: 3 } });
  });

  it('holds up no other of its batch', async () => {
    const { client } = takingAtMost(MAX, sqs.client);
    const letters = new DeadLetters(client, queueUrl);
    const bodies = Array.from({ length: 10 }, (_, n) => (n % 3 === 0 ? incompressible(MAX - n) : `${n}`));
    await Promise.all(bodies.map((body, n) => letters.send(received(body, { messageId: `m-${n}` }), LETTER)));
    expect((await receiveAll()).map(({ Body }) => Body).sort()).toEqual([...bodies].sort());
  });

  it('is refused in the end when nothing of it is taken, and not sent over and over', async () => {
    const { client, sizes } = takingAtMost(10, sqs.client);
    await expect(new DeadLetters(client, queueUrl).send(received('x'.repeat(11)), LETTER)).rejects.toThrow(
      /Message must be shorter than 10 bytes/,
    );
    expect(sizes).toHaveLength(4);
  });
});

import {
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageBatchCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type EmbeddedSqs, startEmbeddedSqs } from '../../src/queue/embedded.ts';
import { clientOf } from '../queue/support/sqs.ts';
import { createQueue, sizeOf } from './support/queues.ts';
import { FAULTS, SqsProxy } from './support/sqs-proxy.ts';

const IDS = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'];

let server: EmbeddedSqs;
let proxy: SqsProxy;
/** Past the proxy. */
let direct: SQSClient;
/** Through it, and each call is one attempt. */
let client: SQSClient;
let QueueUrl: string;
/** What the proxy draws next; the last one again and again. */
let draws: number[];

/** Draws this fault for the next call that may suffer all of them, and half of the entries of its batch. */
function next(fault: (typeof FAULTS)[number]): void {
  proxy.rate = 1;
  draws = [0, (FAULTS.indexOf(fault) + 0.5) / FAULTS.length, ...IDS.map((_, i) => (i % 2 === 0 ? 0.9 : 0.1)), 0];
}

beforeEach(async () => {
  server = await startEmbeddedSqs({ queues: [] });
  proxy = await SqsProxy.start(server.endpoint, () => (draws.length > 1 ? draws.shift()! : draws[0]!));
  draws = [0];
  direct = clientOf(server.endpoint);
  const { region, credentials } = server;
  client = new SQSClient({ region, credentials, endpoint: proxy.endpoint, maxAttempts: 1 });
  QueueUrl = await createQueue(direct, 'events');
});

afterEach(async () => {
  client.destroy();
  direct.destroy();
  await proxy.stop();
  await server.stop();
});

function sendBatch() {
  const Entries = IDS.map((Id) => ({ Id, MessageBody: Id }));
  return client.send(new SendMessageBatchCommand({ QueueUrl, Entries }));
}

/** All ten, so long in hand. */
async function receipts(VisibilityTimeout: number) {
  await sendBatch();
  const { Messages = [] } = await client.send(
    new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10, VisibilityTimeout }),
  );
  return Messages.map(({ ReceiptHandle }, i) => ({ Id: String(i), ReceiptHandle }));
}

/** Half of the entries fail, and not because of their sender. */
const HALF = {
  Successful: IDS.filter((_, i) => i % 2 === 1).map((Id) => expect.objectContaining({ Id })),
  Failed: IDS.filter((_, i) => i % 2 === 0).map((Id) => expect.objectContaining({ Id, SenderFault: false })),
};

describe('the proxy before a queue', () => {
  it('hands on what it does not break', async () => {
    expect((await sendBatch()).Successful).toHaveLength(10);
    expect(await sizeOf(direct, QueueUrl)).toEqual({ visible: 10, hidden: 0 });
    expect(proxy.faults).toBe(0);
  });

  it.each([
    ['reset before', 0],
    ['unavailable', 0],
    ['throttled', 0],
    ['answer lost', 10],
  ] as const)('makes a call fail: %s, and the server has done %i of it', async (fault, done) => {
    next(fault);
    await expect(sendBatch()).rejects.toThrow();
    expect((await sizeOf(direct, QueueUrl)).visible).toBe(done);
    expect(proxy.suffered).toEqual(new Map([[fault, 1]]));
  });

  it('says that it was too fast in the words of SQS', async () => {
    next('throttled');
    await expect(sendBatch()).rejects.toMatchObject({ name: expect.stringMatching(/Throttl/) });
  });

  it('sends some entries of a batch only, and says so', async () => {
    next('partial failure');
    expect(await sendBatch()).toMatchObject(HALF);
    expect((await sizeOf(direct, QueueUrl)).visible).toBe(5);
  });

  it('deletes some entries of a batch only', async () => {
    const Entries = await receipts(60);
    next('partial failure');
    expect(await client.send(new DeleteMessageBatchCommand({ QueueUrl, Entries }))).toMatchObject(HALF);
    expect(await sizeOf(direct, QueueUrl)).toEqual({ visible: 0, hidden: 5 });
  });

  it('changes the visibility of some entries of a batch only', async () => {
    const Entries = (await receipts(60)).map((entry) => ({ ...entry, VisibilityTimeout: 0 }));
    next('partial failure');
    expect(await client.send(new ChangeMessageVisibilityBatchCommand({ QueueUrl, Entries }))).toMatchObject(HALF);
    expect(await sizeOf(direct, QueueUrl)).toEqual({ visible: 5, hidden: 5 });
  });

  it.each([
    ['before', 0],
    ['after', 1],
  ] as const)('stops a call %s the server has done it, until it is released', async (step, done) => {
    const { sprung, release } = proxy.trap(/^SendMessage$/, step);
    const sending = client.send(new SendMessageCommand({ QueueUrl, MessageBody: 'one' }));
    await sprung;
    expect((await sizeOf(direct, QueueUrl)).visible).toBe(done);
    release();
    await sending;
    expect((await sizeOf(direct, QueueUrl)).visible).toBe(1);
  });

  it('stops no receive that brings nothing', async () => {
    const { sprung, release } = proxy.trap(/^ReceiveMessage$/, 'after');
    const receive = () => client.send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 0 }));
    expect((await receive()).Messages ?? []).toEqual([]);
    await sendBatch();
    const received = receive();
    await sprung;
    release();
    expect((await received).Messages).toHaveLength(1);
    expect(proxy.handedOut.size).toBe(1);
  });
});

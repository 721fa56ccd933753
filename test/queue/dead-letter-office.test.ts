/** Dead letters looked at, sent back and dropped, on a real server. */
import { randomBytes, randomUUID } from 'node:crypto';
import {
  CreateQueueCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageCommand,
  SetQueueAttributesCommand,
} from '@aws-sdk/client-sqs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { compress } from '../../src/queue/compression.ts';
import { DeadLetters } from '../../src/queue/dead-letter.ts';
import { DeadLetterOffice } from '../../src/queue/dead-letter-office.ts';
import { paymentEvent } from './support/events.ts';
import { startFaultyProxy } from './support/faulty-proxy.ts';
import { received, takingAtMost } from './support/letters.ts';
import { MemoryPayments } from './support/memory-payments.ts';
import { clientOf, startTestSqs, TestQueues, type TestSqs } from './support/sqs.ts';

let sqs: TestSqs;
let queues: TestQueues;
let payments: MemoryPayments;
let office: DeadLetterOffice;

beforeAll(async () => {
  sqs = await startTestSqs();
});
afterAll(() => sqs.stop());
beforeEach(async () => {
  queues = await TestQueues.create(sqs.client);
  payments = new MemoryPayments({ alice: 1_000n, bob: 0n });
  office = new DeadLetterOffice(queues);
});
afterEach(() => queues.stop());

const ALL = { all: true } as const;
/** Pays somebody whose account is opened only later. */
const toNobody = (n: number | string) => paymentEvent(`event-${n}`, { destination: 'nobody' });
const list = async (reason?: string) => (await office.list({ limit: 1_000, reason })).letters;
const idsOf = async (reason?: string) => (await list(reason)).map(({ id }) => id).sort();

/** Dead-letters them, by a consumer that is stopped again. */
async function deadLetter(...bodies: string[]): Promise<void> {
  await queues.send(...bodies);
  await consumeAll();
}

async function consumeAll(): Promise<void> {
  const consumer = queues.consume(payments);
  await queues.drained();
  await consumer.stop(10_000);
}

describe('list', () => {
  it('shows all letters, oldest first, and gives all back at once', async () => {
    await deadLetter('{"id": ', ...Array.from({ length: 33 }, (_, n) => toNobody(n)));
    const first = await office.list({ limit: 1_000 });
    expect(first.more).toBe(false);
    expect(first.letters).toHaveLength(34);
    const times = first.letters.map(({ sentAt }) => sentAt!.getTime());
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(first.letters.find(({ event }) => event?.id === 'event-7')).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      reason: 'account_not_found',
      code: 'account_not_found',
      detail: 'there is no account nobody',
      originalMessageId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      receiveCount: 1,
      sentAt: expect.any(Date),
      event: { id: 'event-7', type: 'payment.requested' },
      size: toNobody(7).length,
      history: [expect.objectContaining({ reason: 'account_not_found', receive_count: 1 })],
    });
    // Once more, and by anybody else.
    expect(await idsOf()).toEqual(first.letters.map(({ id }) => id).sort());
    expect((await queues.deadLetters()).size).toBe(34);
  });

  it('shows those with a reason, as many as were asked for, and says that there are more', async () => {
    await deadLetter('{"id": ', toNobody(1), toNobody(2), '{"id": "x"}');
    expect((await list('malformed_json')).map(({ event, code }) => [event, code])).toEqual([[null, 'invalid_event']]);
    expect(await office.list({ limit: 1, reason: 'account_not_found' })).toMatchObject({ letters: [{}], more: true });
    expect(await office.list({ limit: 2, reason: 'account_not_found' })).toMatchObject({
      letters: [{}, {}],
      more: false,
    });
    expect(await list('currency_mismatch')).toEqual([]);
  });

  it('stops when its time is over, and gives back what it held', async () => {
    await deadLetter(...Array.from({ length: 25 }, (_, n) => toNobody(n)));
    let now = 0;
    const slow = new DeadLetterOffice({ ...queues, clock: () => (now += 600) });
    const seen = await slow.list({ limit: 1_000, msMax: 2_000 });
    expect(seen.more).toBe(true);
    expect(seen.letters.length).toBeLessThan(25);
    expect(await list()).toHaveLength(25);
  });

  it('gives back what it held when it fails', async () => {
    await deadLetter(...Array.from({ length: 12 }, (_, n) => toNobody(n)));
    const proxy = await startFaultyProxy(sqs.endpoint);
    const client = clientOf(proxy.endpoint);
    let receives = 0;
    const failing = new DeadLetterOffice({
      ...queues,
      client,
      clock: () => {
        if (proxy.seen.get('ReceiveMessage') === 1 && receives++ === 0) proxy.refuses.add('ReceiveMessage');
        return 0;
      },
    });
    await expect(failing.list({ limit: 100 })).rejects.toMatchObject({ code: 'queue_unavailable' });
    client.destroy();
    await proxy.stop();
    expect(await list()).toHaveLength(12);
  });

  it('names what SQS moved by itself, or somebody put there', async () => {
    await sqs.client.send(
      new SendMessageCommand({ QueueUrl: queues.deadLetterQueueUrl, MessageBody: toNobody('moved') }),
    );
    expect(await list()).toMatchObject([
      { reason: 'unknown', code: null, detail: null, receiveCount: null, event: { id: 'event-moved' }, history: [] },
    ]);
  });
});

describe('show', () => {
  it('has the body, decompressed', async () => {
    await deadLetter(toNobody(1));
    await new DeadLetters(sqs.client, queues.deadLetterQueueUrl).send(
      received(compress(toNobody('zip')), { encoding: 'gzip' }),
      { reason: 'account_not_found', code: 'account_not_found', detail: 'x' },
    );
    for (const { id, event } of await list()) {
      const shown = await office.show(id);
      const isZip = event?.id === 'event-zip';
      expect([shown.body, shown.encoding]).toEqual([toNobody(isZip ? 'zip' : 1), isZip ? 'gzip' : null]);
    }
    await expect(office.show('none')).rejects.toMatchObject({ code: 'not_found' });
    expect(await list()).toHaveLength(2);
  });
});

describe('redrive', () => {
  it('sends back one, those with a reason, or all', async () => {
    await deadLetter('{"id": ', '[]', ...Array.from({ length: 15 }, (_, n) => toNobody(n)));
    payments.balances.set('nobody', 0n);
    const [id] = await idsOf('account_not_found');
    const nothing = { failed: 0, notDeleted: 0, missing: [], more: false, problem: null };
    expect(await office.redrive({ choice: { ids: [id!] } })).toEqual({ ...nothing, done: 1 });
    await consumeAll();
    expect(payments.balances.get('nobody')).toBe(1n);
    expect(await office.redrive({ choice: { ids: [id!] } })).toEqual({ ...nothing, done: 0, missing: [id] });

    expect(await office.redrive({ choice: { reason: 'account_not_found' } })).toEqual({ ...nothing, done: 14 });
    await consumeAll();
    expect(payments.balances.get('nobody')).toBe(15n);

    expect(await office.redrive({ choice: ALL })).toEqual({ ...nothing, done: 2 });
    expect(await queues.size()).toBe(2);
    expect(await list()).toEqual([]);
  });

  it('lets the next dead letter tell of those before', async () => {
    await deadLetter(toNobody(1));
    for (let times = 2; times <= 3; times++) {
      const [before] = await list();
      await office.redrive({ choice: ALL });
      await consumeAll();
      const [after] = await list();
      expect(after!.id).not.toBe(before!.id);
      expect(after!.history).toHaveLength(times);
      expect(after!.history.slice(0, -1)).toEqual(before!.history);
      expect(after!.history.at(-1)).toMatchObject({
        message_id: after!.originalMessageId,
        sent_at: expect.any(String),
      });
      expect(after!.history.at(-1)!.message_id).not.toBe(before!.originalMessageId);
    }
  });

  it('leaves what fails again while it goes on, and ends', async () => {
    await deadLetter(...Array.from({ length: 12 }, (_, n) => toNobody(n)));
    queues.consume(payments);
    const outcome = await office.redrive({ choice: ALL, ratePerSecond: 20 });
    expect(outcome).toMatchObject({ done: 12, failed: 0, more: false });
    await queues.drained();
    expect((await list()).map(({ history }) => history.length)).toEqual(Array(12).fill(2));
  });

  it('ends also when what fails again is so large that it does not say where it comes from', async () => {
    const body = randomBytes(160_000).toString('base64');
    const { client } = takingAtMost(body.length, sqs.client);
    queues.consume(payments, {}, client);
    await queues.send(body);
    await queues.drained();
    expect(await list()).toMatchObject([{ reason: 'unknown', originalMessageId: null, size: body.length }]);
    expect(await office.redrive({ choice: ALL })).toMatchObject({ done: 1, more: false });
    await queues.drained();
    expect(await list()).toHaveLength(1);
  });

  it('has one effect when its event was posted meanwhile', async () => {
    await deadLetter(toNobody(1));
    payments.balances.set('nobody', 0n);
    await queues.send(toNobody(1));
    await consumeAll();
    await office.redrive({ choice: ALL });
    await consumeAll();
    expect(payments.balances.get('nobody')).toBe(1n);
    expect(await list()).toEqual([]);
  });

  it('keeps to its rate, and to its limit', async () => {
    await deadLetter(...Array.from({ length: 30 }, (_, n) => toNobody(n)));
    let now = 0;
    const pauses: number[] = [];
    const pause = async (ms: number) => {
      pauses.push(ms);
      now += ms;
    };
    const proxy = await startFaultyProxy(sqs.endpoint);
    const client = clientOf(proxy.endpoint);
    const paced = new DeadLetterOffice({ ...queues, client, clock: () => now, pause });
    expect(await paced.redrive({ choice: ALL, ratePerSecond: 4, limit: 21 })).toMatchObject({ done: 21, more: true });
    // Receives bring ten: sent as 4, 4 and 2 each time, and the last one.
    expect(proxy.seen.get('SendMessageBatch')).toBe(7);
    expect(now).toBe(20 * 250);
    client.destroy();
    await proxy.stop();
    expect(await queues.size()).toBe(21);
    expect(await list()).toHaveLength(9);
  });

  it('stops when it is told to, and gives back the rest', async () => {
    await deadLetter(...Array.from({ length: 25 }, (_, n) => toNobody(n)));
    const stopping = new AbortController();
    const onProgress = (done: number) => {
      if (done >= 6) stopping.abort();
    };
    const order = { choice: ALL, ratePerSecond: 3, signal: stopping.signal, onProgress };
    const outcome = await new DeadLetterOffice({ ...queues, pause: async () => {} }).redrive(order);
    expect(outcome).toMatchObject({ done: 6, more: true });
    expect(await list()).toHaveLength(19);
  });

  it('loses nothing when letters are sent and cannot be deleted, and has one effect', async () => {
    await deadLetter(...Array.from({ length: 5 }, (_, n) => toNobody(n)));
    payments.balances.set('nobody', 0n);
    const proxy = await startFaultyProxy(sqs.endpoint);
    const client = clientOf(proxy.endpoint);
    proxy.refuses.add('DeleteMessageBatch');
    const outcome = await new DeadLetterOffice({ ...queues, client }).redrive({ choice: ALL });
    expect(outcome).toMatchObject({ done: 5, notDeleted: 5, failed: 0, more: false });
    client.destroy();
    await proxy.stop();
    await consumeAll();
    expect(await list()).toHaveLength(5);
    expect(payments.balances.get('nobody')).toBe(5n);

    expect(await office.redrive({ choice: ALL })).toMatchObject({ done: 5, notDeleted: 0 });
    await consumeAll();
    expect(payments.balances.get('nobody')).toBe(5n);
    expect(await list()).toEqual([]);
  });

  it('leaves what the queue does not take, of some and of all', async () => {
    await deadLetter('{"id": ', `"${'x'.repeat(500)}"`, toNobody(1));
    const { client } = takingAtMost(400, sqs.client);
    expect(await new DeadLetterOffice({ ...queues, client }).redrive({ choice: ALL })).toMatchObject({
      done: 2,
      failed: 1,
      notDeleted: 0,
    });
    expect(await list()).toMatchObject([{ size: 502 }]);

    const proxy = await startFaultyProxy(sqs.endpoint);
    const refused = clientOf(proxy.endpoint);
    proxy.refuses.add('SendMessageBatch');
    const order = { choice: ALL, ratePerSecond: 1 };
    const broken = new DeadLetterOffice({ ...queues, client: refused, pause: async () => {} });
    expect(await broken.redrive(order)).toMatchObject({ done: 0, failed: 1, problem: null });
    await deadLetter(...Array.from({ length: 5 }, (_, n) => toNobody(n)));
    await expect(broken.redrive(order)).rejects.toMatchObject({
      code: 'queue_unavailable',
      message: expect.stringContaining('refused by the test'),
    });
    refused.destroy();
    await proxy.stop();
    // With the two that were sent back before, which are dead letters again.
    expect(await list()).toHaveLength(8);
  });

  it('sends back without its history what is too large with it', async () => {
    const large = toNobody('x'.repeat(200));
    await deadLetter(large);
    const { client } = takingAtMost(large.length + 50, sqs.client);
    expect(await new DeadLetterOffice({ ...queues, client }).redrive({ choice: ALL })).toMatchObject({ done: 1 });
    await consumeAll();
    expect((await list()).map(({ history }) => history.length)).toEqual([1]);
  });

  it('sends back what SQS moved by a redrive policy', async () => {
    const { Attributes } = await sqs.client.send(
      new GetQueueAttributesCommand({ QueueUrl: queues.deadLetterQueueUrl, AttributeNames: ['QueueArn'] }),
    );
    const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: Attributes!.QueueArn, maxReceiveCount: '1' });
    await sqs.client.send(new SetQueueAttributesCommand({ QueueUrl: queues.queueUrl, Attributes: { RedrivePolicy } }));
    await queues.send(toNobody('moved'));
    const receive = new ReceiveMessageCommand({ QueueUrl: queues.queueUrl, VisibilityTimeout: 0 });
    await expect.poll(async () => (await sqs.client.send(receive)).Messages ?? []).toEqual([]);
    const [letter, ...others] = await list();
    expect(others).toEqual([]);
    // The embedded server does not say that it moved it.
    expect(letter).toMatchObject({
      reason: expect.stringMatching(/^(moved_by_sqs|unknown)$/),
      originalMessageId: null,
    });
    payments.balances.set('nobody', 0n);
    expect(await office.redrive({ choice: { ids: [letter!.id] } })).toMatchObject({ done: 1 });
    await consumeAll();
    expect(payments.balances.get('nobody')).toBe(1n);
  });

  it('sends back what somebody put there, with its trace, and has that in its history', async () => {
    const traceparent = '00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01';
    await sqs.client.send(
      new SendMessageCommand({
        QueueUrl: queues.deadLetterQueueUrl,
        MessageBody: toNobody('moved'),
        MessageAttributes: { traceparent: { DataType: 'String', StringValue: traceparent } },
      }),
    );
    expect(await office.redrive({ choice: { reason: 'unknown' } })).toMatchObject({ done: 1 });
    await consumeAll();
    const [letter] = await list();
    expect(letter!.history.map(({ reason }) => reason)).toEqual(['unknown', 'account_not_found']);
    const [attributes] = (await queues.deadLetters()).values();
    expect(attributes).toMatchObject({ traceparent });
  });

  it('sends back to a FIFO queue in the group of the message, as often as it is asked to', async () => {
    const create = async (name: string) =>
      (
        await sqs.client.send(
          new CreateQueueCommand({ QueueName: `${name}-${randomUUID()}.fifo`, Attributes: { FifoQueue: 'true' } }),
        )
      ).QueueUrl!;
    const [queueUrl, deadLetterQueueUrl] = [await create('events'), await create('dlq')];
    const fifo = new DeadLetterOffice({ client: sqs.client, queueUrl, deadLetterQueueUrl });
    const letters = new DeadLetters(sqs.client, deadLetterQueueUrl);
    const letter = { reason: 'not_found', code: 'not_found', detail: 'x' } as const;
    const groups = ['shop', 'shop', null];
    for (const [n, group] of groups.entries()) {
      await letters.send(received(`{"id": "${n}"}`, { messageId: `m-${n}`, group }), letter);
    }
    const redriven = async () => {
      expect(await fifo.redrive({ choice: ALL })).toMatchObject({ done: 3, failed: 0, notDeleted: 0 });
      return (await takeAll(queueUrl)).map(({ Body, Attributes }) => [Body, Attributes!.MessageGroupId]).sort();
    };
    const expected = [
      ['{"id": "0"}', 'shop'],
      ['{"id": "1"}', 'shop'],
      ['{"id": "2"}', 'm-2'],
    ];
    expect(await redriven()).toEqual(expected);
    // The same again, within the five minutes in which SQS drops what it has had before.
    for (const [n, group] of ['shop', 'shop', 'm-2'].entries()) {
      await letters.send(received(`{"id": "${n}"}`, { messageId: `again-${n}`, group }), letter);
    }
    expect(await redriven()).toEqual(expected);
  });
});

/** And deletes it. */
async function takeAll(QueueUrl: string): Promise<Message[]> {
  const all: Message[] = [];
  const ask = { QueueUrl, MaxNumberOfMessages: 10, MessageSystemAttributeNames: ['MessageGroupId' as const] };
  for (;;) {
    const { Messages = [] } = await sqs.client.send(new ReceiveMessageCommand(ask));
    if (Messages.length === 0) return all;
    all.push(...Messages);
    for (const { ReceiptHandle } of Messages) {
      await sqs.client.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
    }
  }
}

describe('drop', () => {
  it('deletes one, those with a reason, or all, for good', async () => {
    await deadLetter('{"id": ', '[]', ...Array.from({ length: 12 }, (_, n) => toNobody(n)));
    const [id] = await idsOf('malformed_json');
    expect(await office.drop({ choice: { ids: [id!, 'none'] } })).toMatchObject({ done: 1, missing: ['none'] });
    expect(await office.drop({ choice: { reason: 'account_not_found' }, limit: 5 })).toMatchObject({
      done: 5,
      more: true,
    });
    expect(await list()).toHaveLength(8);
    expect(await office.drop({ choice: { reason: 'account_not_found' } })).toMatchObject({ done: 7, more: false });
    expect(await office.drop({ choice: ALL })).toMatchObject({ done: 1, more: false });
    expect([await list(), await queues.size()]).toEqual([[], 0]);
  });

  it('says when the queue deletes nothing', async () => {
    await deadLetter(toNobody(1));
    const proxy = await startFaultyProxy(sqs.endpoint);
    const client = clientOf(proxy.endpoint);
    proxy.refuses.add('DeleteMessageBatch');
    expect(await new DeadLetterOffice({ ...queues, client }).drop({ choice: ALL })).toMatchObject({
      done: 0,
      failed: 1,
    });
    client.destroy();
    await proxy.stop();
    expect(await list()).toHaveLength(1);
  });
});

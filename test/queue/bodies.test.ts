/** Large and packed bodies, and old messages, on a real server. */
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { paymentEvent } from './support/events.ts';
import type { MemoryPayments } from './support/memory-payments.ts';
import { type TestQueues, useQueues } from './support/sqs.ts';

const HOUR_MS = 3_600_000;
const text = (StringValue: string) => ({ DataType: 'String', StringValue });

let queues: TestQueues;
let payments: MemoryPayments;

useQueues((world) => {
  ({ queues, payments } = world);
});

const padded = (id: string, bytes: number) => paymentEvent(id).padEnd(bytes);

describe('a large message', () => {
  it('is taken: of 256 KiB, and of 1 MiB where the server takes it', async () => {
    await queues.send(padded('large', 256 << 10));
    const isLargerTaken = await queues.send(padded('larger', 1 << 20)).then(
      () => true,
      () => false,
    );
    // The embedded server takes it, as AWS does.
    if (process.env.KVITT_TEST_SQS === undefined) expect(isLargerTaken).toBe(true);
    queues.consume(payments);
    await queues.drained();
    expect(payments.posted).toHaveLength(isLargerTaken ? 2 : 1);
  });

  it('does not come with so many others that they fill the memory: they wait in the queue', async () => {
    let finish = () => {};
    const held = new Promise<void>((resolve) => {
      finish = resolve;
    });
    payments.before = () => held;
    const bytes = 250 << 10;
    for (let n = 0; n < 200; n++) await queues.send(padded(`event-${n}`, bytes));
    const consumer = queues.consume(payments);
    // 32 MiB, and what comes by the receives that were under way when these were reached.
    const most = Math.ceil((32 << 20) / bytes) + 20;
    await expect.poll(() => consumer.stats().received, { timeout: 20_000 }).toBeGreaterThan(100);
    await expect.poll(() => consumer.stats().receivers, { timeout: 20_000 }).toBe(0);
    expect(consumer.stats().received).toBeLessThanOrEqual(most);

    finish();
    await queues.drained();
    expect(payments.posted).toHaveLength(200);
  });

  it('is dead-lettered when it only points to where its payload is', async () => {
    const pointer = '["software.amazon.payloadoffloading.PayloadS3Pointer",{"s3BucketName":"b","s3Key":"k"}]';
    await queues.sendEntries([
      { MessageBody: pointer },
      {
        MessageBody: '{"s3":"elsewhere"}',
        MessageAttributes: { ExtendedPayloadSize: { DataType: 'Number', StringValue: '300000' } },
      },
    ]);
    const consumer = queues.consume(payments);
    await queues.drained();
    expect(consumer.stats().deadLettered).toEqual({ payload_pointer: 2 });
    expect((await queues.deadLetters()).get(pointer)?.detail).toMatch(/^the payload is elsewhere \(in S3\)/);
  });
});

describe('a packed message', () => {
  it('is the same event as when it is not packed', async () => {
    const body = paymentEvent('packed');
    const notification = { Type: 'Notification', TopicArn: 'arn:aws:sns:eu-north-1:0:payments', Message: body };
    const bridged = { source: 'shop', 'detail-type': 'payment.requested', detail: JSON.parse(body) };
    await queues.sendEntries([
      { MessageBody: body },
      {
        MessageBody: gzipSync(body).toString('base64'),
        MessageAttributes: { content_encoding: text('gzip') },
      },
      { MessageBody: JSON.stringify(notification) },
      { MessageBody: JSON.stringify(bridged) },
    ]);
    const consumer = queues.consume(payments);
    await queues.drained();
    expect(payments.balances.get('bob')).toBe(1n);
    expect(consumer.stats()).toMatchObject({ posted: 1, replayed: 3, deadLettered: {} });
  });
});

describe('an old message', () => {
  afterEach(() => void vi.useRealTimers());

  it('is dead-lettered, unless what it asks for was begun before', async () => {
    await queues.send(paymentEvent('begun'));
    const first = queues.consume(payments);
    await queues.drained();
    await first.stop(10_000);
    await queues.send(paymentEvent('begun'), paymentEvent('late'), paymentEvent('begun', { amount: '2' }));
    await sleep(3_000);
    const consumer = queues.consume(payments, { maxAgeSeconds: 1 });
    await queues.drained();

    expect(payments.balances.get('bob')).toBe(1n);
    expect(consumer.stats()).toMatchObject({
      posted: 0,
      replayed: 1,
      deadLettered: { too_old: 1, idempotency_key_reused: 1 },
    });
    const letter = (await queues.deadLetters()).get(paymentEvent('late'));
    expect(letter).toMatchObject({ reason: 'too_old', code: 'too_old' });
    expect(letter?.detail).toMatch(/^sent \d+ s before it was received, of 1 at most; nothing was done for it$/);
  });

  it.each([HOUR_MS, -HOUR_MS])(
    'is one by the clock of the queue, not by ours, which differs by %i ms',
    async (offsetMs) => {
      await queues.send(paymentEvent('young'));
      vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + offsetMs });
      const consumer = queues.consume(payments, { maxAgeSeconds: 60 });
      await expect.poll(() => consumer.stats().deleted).toBe(1);
      expect(consumer.stats()).toMatchObject({ posted: 1, deadLettered: {} });
    },
  );
});

import { setTimeout as sleep } from 'node:timers/promises';
import type { SQSClient } from '@aws-sdk/client-sqs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { LedgerError, type LedgerErrorCode } from '../../src/ledger/errors.ts';
import { paymentEvent } from './support/events.ts';
import { type FaultyProxy, startFaultyProxy } from './support/faulty-proxy.ts';
import { MemoryPayments } from './support/memory-payments.ts';
import { clientOf, startTestSqs, TestQueues, type TestSqs } from './support/sqs.ts';

let sqs: TestSqs;
let proxy: FaultyProxy;
let throughProxy: SQSClient;
let queues: TestQueues;
let payments: MemoryPayments;

beforeAll(async () => {
  sqs = await startTestSqs();
  proxy = await startFaultyProxy(sqs.endpoint);
  throughProxy = clientOf(proxy.endpoint);
});
afterAll(async () => {
  throughProxy.destroy();
  await proxy.stop();
  await sqs.stop();
});
beforeEach(async () => {
  queues = await TestQueues.create(sqs.client);
  payments = new MemoryPayments({ alice: 1_000n, bob: 0n });
});
afterEach(async () => {
  proxy.refuses.clear();
  await queues.stop();
});

describe('redelivery', () => {
  it('leaves messages that met trouble which may pass, and posts them when they come again', async () => {
    const codes: LedgerErrorCode[] = ['unavailable', 'outcome_unknown', 'idempotency_key_in_progress'];
    const troubles = new Map<string, Error>(codes.map((code) => [code, new LedgerError(code, 'not now')]));
    troubles.set('a bug', new TypeError('a bug'));
    const events = [...troubles.keys(), 'no trouble'].map((id) => paymentEvent(id));
    payments.before = (_, { key }) => {
      const trouble = troubles.get(key);
      troubles.delete(key);
      if (trouble !== undefined) throw trouble;
    };
    await queues.send(...events);
    const consumer = queues.consume(payments);
    await queues.drained();

    expect(payments.posted).toHaveLength(5);
    expect(consumer.stats()).toMatchObject({ received: 9, posted: 5, failed: 4, deleted: 5, deadLettered: {} });
  });

  it('holds messages in hand while the ledger has too much to do, and asks for no more than it may have there', async () => {
    let isFull = true;
    payments.before = () => {
      if (isFull) throw new LedgerError('overloaded', 'too much to do');
    };
    await queues.send(...Array.from({ length: 60 }, (_, n) => paymentEvent(`event-${n}`)));
    // Less than it takes: what is in hand stays hidden all the same.
    const consumer = queues.consume(payments, { inHandMax: 20, visibilityTimeoutSeconds: 6 });
    await expect.poll(() => consumer.stats().inFlight).toBe(20);
    await sleep(7_000);
    expect(consumer.stats()).toMatchObject({ received: 20, failed: 0, deadLettered: {} });
    isFull = false;
    await queues.drained();

    expect(payments.posted).toHaveLength(60);
    expect(consumer.stats()).toMatchObject({ received: 60, failed: 0 });
  });

  it('finds the payment whose answer was lost, and does not pay twice', async () => {
    const real = payments.createPayment.bind(payments);
    let lost = false;
    payments.createPayment = async (request, caller) => {
      const answer = await real(request, caller);
      if (lost) return answer;
      lost = true;
      throw new LedgerError('outcome_unknown', 'the answer was lost');
    };
    await queues.send(paymentEvent('lost'));
    const consumer = queues.consume(payments);
    await queues.drained();

    expect(payments.balances.get('bob')).toBe(1n);
    expect(consumer.stats()).toMatchObject({ posted: 0, replayed: 1, failed: 1 });
  });

  it('treats no answer in time as unknown', async () => {
    payments.before = (_, caller) =>
      payments.calls === 1 && caller.key === 'stuck' ? new Promise(() => {}) : undefined;
    await queues.send(paymentEvent('stuck'));
    const consumer = queues.consume(payments, { workTimeoutMs: 200 });
    await queues.drained();

    expect(consumer.stats()).toMatchObject({ failed: 1, posted: 1 });
  });

  it('dead-letters what was received too often, with the last error', async () => {
    payments.before = () => {
      throw new LedgerError('outcome_unknown', 'never known');
    };
    const event = paymentEvent('hopeless');
    await queues.send(event);
    const consumer = queues.consume(payments, { maxReceiveCount: 2 });
    await queues.drained();

    expect(payments.calls).toBe(2);
    expect(consumer.stats()).toMatchObject({ failed: 1, deadLettered: { too_many_receives: 1 } });
    expect((await queues.deadLetters()).get(event)).toMatchObject({
      reason: 'too_many_receives',
      code: 'outcome_unknown',
      detail: 'never known',
      receive_count: '2',
    });
  });

  it('does not hand a message to a second consumer while the first works on it beyond its visibility', async () => {
    payments.before = () => sleep(7_000);
    await queues.send(...Array.from({ length: 3 }, (_, n) => paymentEvent(`slow-${n}`)));
    const consumers = [
      queues.consume(payments, { visibilityTimeoutSeconds: 6 }),
      queues.consume(payments, { visibilityTimeoutSeconds: 6 }),
    ];
    await queues.drained();

    const received = consumers.reduce((sum, consumer) => sum + consumer.stats().received, 0);
    expect(received).toBe(3);
    expect(payments.calls).toBe(3);
  });

  it('sends a refused delete again', async () => {
    proxy.refusesOnce.add('DeleteMessageBatch');
    await queues.send(paymentEvent('kept'));
    const consumer = queues.consume(payments, {}, throughProxy);
    await queues.drained();
    expect(proxy.refusesOnce).toEqual(new Set());

    expect(consumer.stats()).toMatchObject({ received: 1, posted: 1, deleted: 1, deleteFailed: 0 });
  });

  it('replays a message whose delete was given up', async () => {
    proxy.refuses.add('DeleteMessageBatch');
    await queues.send(paymentEvent('again'));
    const consumer = queues.consume(payments, { visibilityTimeoutSeconds: 2 }, throughProxy);
    await expect.poll(() => consumer.stats().deleteFailed).toBe(1);
    expect(await queues.size()).toBe(1);
    proxy.refuses.clear();
    await queues.drained();

    expect(payments.balances.get('bob')).toBe(1n);
    expect(consumer.stats()).toMatchObject({ received: 2, posted: 1, replayed: 1, deleted: 1, deleteFailed: 1 });
  });

  it('goes on when the queue can be reached again, and has said so once', async () => {
    proxy.refuses.add('ReceiveMessage');
    await queues.send(paymentEvent('patient'));
    const consumer = queues.consume(payments, {}, throughProxy);
    const before = proxy.seen.get('ReceiveMessage') ?? 0;
    await expect.poll(() => proxy.seen.get('ReceiveMessage') ?? 0).toBeGreaterThan(before + 4);
    proxy.refuses.clear();
    await queues.drained();

    expect(consumer.stats().posted).toBe(1);
    expect(queues.warnings).toEqual([
      'receiving from the SQS queue does not work; check its URL, region, endpoint and credentials',
      'receiving from the SQS queue works again',
    ]);
  });

  it('asks for fewer messages while the ledger does not work', async () => {
    payments.before = () => {
      throw new LedgerError('unavailable', 'no primary');
    };
    await queues.send(...Array.from({ length: 100 }, (_, n) => paymentEvent(`event-${n}`)));
    const consumer = queues.consume(payments, { inHandMax: 20 });
    await expect.poll(() => consumer.stats().failed).toBeGreaterThan(0);
    await sleep(1_000);
    expect(consumer.stats().received).toBeLessThan(80);

    payments.before = () => {};
    await queues.drained();
    expect(payments.posted).toHaveLength(100);
  });
});

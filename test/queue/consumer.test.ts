import { describe, expect, it } from 'vitest';
import { paymentEvent } from './support/events.ts';
import type { MemoryPayments } from './support/memory-payments.ts';
import { type TestQueues, useQueues } from './support/sqs.ts';

let queues: TestQueues;
let payments: MemoryPayments;

useQueues(
  (world) => {
    ({ queues, payments } = world);
  },
  { alice: 1_000n, bob: 0n, empty: 0n },
);

const range = (count: number) => Array.from({ length: count }, (_, index) => index);

describe('the consumer', () => {
  it('posts each event once, however often it is delivered, and leaves the queue empty', async () => {
    const events = range(60).map((n) => paymentEvent(`event-${n}`));
    await queues.send(...events, ...events.slice(0, 20), ...events.slice(0, 10));
    const consumer = queues.consume(payments);
    await queues.drained();

    expect(payments.posted).toHaveLength(60);
    expect(payments.balances.get('bob')).toBe(60n);
    expect(consumer.stats()).toMatchObject({ received: 90, posted: 60, replayed: 30, failed: 0, deadLettered: {} });
    expect(await queues.deadLetters()).toEqual(new Map());
  });

  it('gives two consumers of one queue one effect an event', async () => {
    const events = range(50).map((n) => paymentEvent(`event-${n}`));
    await queues.send(...events, ...events);
    const consumers = [queues.consume(payments), queues.consume(payments)];
    await queues.drained();

    expect(payments.balances.get('bob')).toBe(50n);
    const stats = consumers.map((consumer) => consumer.stats());
    expect(stats.reduce((sum, { posted }) => sum + posted, 0)).toBe(50);
    expect(stats.reduce((sum, { replayed }) => sum + replayed, 0)).toBe(50);
  });

  it('uses the event id as the idempotency key of the client "sqs"', async () => {
    const callers: unknown[] = [];
    payments.before = (_, caller) => void callers.push(caller);
    queues.consume(payments);
    await queues.send(paymentEvent('invoice 17/a'));
    await queues.drained();

    expect(callers).toEqual([{ client: 'sqs', key: 'invoice 17/a', requestId: expect.stringMatching(/./) }]);
  });

  it('deletes what the ledger rejected, for that is its final outcome', async () => {
    await queues.send(paymentEvent('too-much', { source: 'empty' }), paymentEvent('fine'));
    const consumer = queues.consume(payments);
    await queues.drained();

    expect(consumer.stats()).toMatchObject({ rejected: 1, posted: 1, deleted: 2, deadLettered: {} });
    expect(await queues.deadLetters()).toEqual(new Map());
  });

  it('does not let a slow message hold up the others of its batch', async () => {
    let finish = () => {};
    const slow = new Promise<void>((resolve) => {
      finish = resolve;
    });
    payments.before = (_, caller) => (caller.key === 'slow' ? slow : undefined);
    await queues.send(paymentEvent('slow'), ...range(30).map((n) => paymentEvent(`event-${n}`)));
    const consumer = queues.consume(payments, { receiversMax: 1 });
    await expect.poll(() => consumer.stats().deleted).toBe(30);
    expect(consumer.stats().inFlight).toBe(1);

    finish();
    await queues.drained();
    expect(payments.posted).toHaveLength(31);
  });

  it('has at most as many messages in hand as it is told', async () => {
    let finish = () => {};
    const held = new Promise<void>((resolve) => {
      finish = resolve;
    });
    payments.before = () => held;
    await queues.send(...range(60).map((n) => paymentEvent(`event-${n}`)));
    const consumer = queues.consume(payments, { inHandMax: 20 });
    await expect.poll(() => consumer.stats().inFlight).toBe(20);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(consumer.stats().received).toBe(20);

    finish();
    await queues.drained();
    expect(payments.posted).toHaveLength(60);
  });

  it.each([
    [{ receiversMax: 0 }, 'receiversMax of the SQS consumer must be a whole number from 1 to 64; it is 0'],
    [{ visibilityTimeoutSeconds: 1 }, 'visibilityTimeoutSeconds of the SQS consumer must be a whole number from 2'],
    [{ waitSeconds: 21 }, 'waitSeconds of the SQS consumer must be a whole number from 0 to 20; it is 21'],
    [{ inHandMax: 9 }, 'inHandMax of the SQS consumer must be a whole number from 10 to 10000; it is 9'],
  ])('refuses the settings %j', (settings, message) => {
    expect(() => queues.consume(payments, settings)).toThrow(message);
  });
});

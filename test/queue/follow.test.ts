import { describe, expect, it } from 'vitest';
import { followEvent, paymentEvent } from './support/events.ts';
import type { MemoryPayments } from './support/memory-payments.ts';
import { type TestQueues, useQueues } from './support/sqs.ts';

let queues: TestQueues;
let payments: MemoryPayments;

useQueues((world) => {
  ({ queues, payments } = world);
});

const hold = (id: string, amount: string) => paymentEvent(id, { amount, capture: 'manual' });
const balances = () => Object.fromEntries(payments.balances);

describe('events about payments', () => {
  it('capture, cancel and refund, each once, however often they are delivered', async () => {
    const consumer = queues.consume(payments);
    await queues.send(hold('order-1', '100'), hold('order-2', '50'), paymentEvent('order-3', { amount: '30' }));
    await queues.drained();
    const events = [
      followEvent('capture-1', 'capture', 'pay_order-1', { amount: '60' }),
      followEvent('cancel-2', 'cancel', 'pay_order-2'),
      followEvent('refund-3', 'refund', 'pay_order-3', { amount: 10 }),
    ];
    await queues.send(...events, ...events, ...events);
    await queues.drained();

    expect(balances()).toEqual({ alice: 1_000n - 100n - 30n + 10n, bob: 60n + 30n - 10n });
    expect(payments.payments.get('pay_order-1')).toMatchObject({ amountHeld: 40n, amountCaptured: 60n });
    expect(consumer.stats()).toMatchObject({ posted: 6, replayed: 6, deleted: 12, failed: 0, deadLettered: {} });
  });

  it('that the ledger decides against are settled as rejected', async () => {
    const consumer = queues.consume(payments);
    await queues.send(hold('order-1', '100'), paymentEvent('order-2'));
    await queues.drained();
    await queues.send(
      followEvent('too-much', 'capture', 'pay_order-1', { amount: 101 }),
      followEvent('not-held', 'cancel', 'pay_order-2'),
      followEvent('too-much-back', 'refund', 'pay_order-2', { amount: 2 }),
    );
    await queues.drained();

    expect(consumer.stats()).toMatchObject({ posted: 2, rejected: 3, deleted: 5, deadLettered: {} });
    expect(await queues.deadLetters()).toEqual(new Map());
  });

  it('that overtake their payment wait for it', async () => {
    const consumer = queues.consume(payments);
    await queues.send(followEvent('capture-1', 'capture', 'pay_order-1'));
    await expect.poll(() => consumer.stats().failed).toBe(1);
    await queues.send(hold('order-1', '100'));
    await queues.drained();

    expect(balances()).toEqual({ alice: 900n, bob: 100n });
    expect(consumer.stats()).toMatchObject({ posted: 2, deadLettered: {} });
  });

  it('whose payment never comes are dead-lettered with the reason, and hold up no other', async () => {
    const consumer = queues.consume(payments, { maxReceiveCount: 2 });
    const lost = followEvent('capture-1', 'capture', 'pay_nowhere');
    await queues.send(lost, paymentEvent('order-1'));
    await queues.drained();

    expect(consumer.stats()).toMatchObject({ posted: 1, failed: 1, deadLettered: { not_found: 1 } });
    expect((await queues.deadLetters()).get(lost)).toMatchObject({
      reason: 'not_found',
      code: 'not_found',
      detail: 'there is no payment pay_nowhere',
      receive_count: '2',
    });
    expect(queues.warnings.filter((text) => text.includes('the ledger'))).toEqual([]);
  });

  it('whose id was used for something else are dead-lettered', async () => {
    queues.consume(payments);
    await queues.send(hold('order-1', '100'));
    await queues.drained();
    const reused = followEvent('order-1', 'capture', 'pay_order-1');
    await queues.send(reused);
    await queues.drained();

    expect((await queues.deadLetters()).get(reused)).toMatchObject({ reason: 'idempotency_key_reused' });
  });
});

import { describe, expect, it } from 'vitest';
import { LedgerError } from '../../src/ledger/errors.ts';
import { paymentEvent } from './support/events.ts';
import type { MemoryPayments } from './support/memory-payments.ts';
import { type TestQueues, useQueues, WAIT_MS } from './support/sqs.ts';

let queues: TestQueues;
let payments: MemoryPayments;

useQueues((world) => {
  ({ queues, payments } = world);
});

function gate() {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open, opened };
}

describe('stopping the consumer', () => {
  it('finishes and deletes what is in hand, and takes nothing more', async () => {
    const { open, opened } = gate();
    payments.before = () => opened;
    await queues.send(paymentEvent('in-hand'));
    const consumer = queues.consume(payments);
    await expect.poll(() => consumer.stats().inFlight).toBe(1);
    const stopped = consumer.stop(WAIT_MS);
    open();

    expect(await stopped).toBe(true);
    expect(consumer.stats()).toMatchObject({ posted: 1, deleted: 1, inFlight: 0 });
    expect(await queues.size()).toBe(0);
    await queues.send(paymentEvent('later'));
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(payments.posted).toHaveLength(1);
  });

  it('gives back at once what a receive under way still brings', async () => {
    const consumer = queues.consume(payments, { waitSeconds: 20, visibilityTimeoutSeconds: 600, receiversMax: 1 });
    await expect.poll(() => consumer.stats().receivers).toBe(1);
    const stopped = consumer.stop(WAIT_MS);
    await queues.send(paymentEvent('just-missed'));
    expect(await stopped).toBe(true);
    expect(consumer.stats()).toMatchObject({ received: 1, returned: 1, posted: 0 });

    const next = queues.consume(payments);
    await queues.drained();
    expect(next.stats()).toMatchObject({ posted: 1 });
  });

  it('gives back at once what waits for a ledger that has too much to do', async () => {
    payments.before = () => {
      throw new LedgerError('overloaded', 'too much to do');
    };
    await queues.send(paymentEvent('waiting'));
    const consumer = queues.consume(payments, { visibilityTimeoutSeconds: 600 });
    await expect.poll(() => payments.calls).toBeGreaterThan(1);
    expect(await consumer.stop(WAIT_MS)).toBe(true);
    // Perhaps again by a receive that was under way.
    const { received, returned } = consumer.stats();
    expect(consumer.stats()).toMatchObject({ posted: 0, failed: 0 });
    expect(returned).toBe(received);
    payments.before = () => {};
    const next = queues.consume(payments);
    await queues.drained();

    expect(next.stats()).toMatchObject({ received: 1, posted: 1 });
  });

  it('does not wait for ever: what is still in hand after the grace is given back at once', async () => {
    const { open, opened } = gate();
    payments.before = () => opened;
    await queues.send(paymentEvent('stuck'));
    const consumer = queues.consume(payments, { visibilityTimeoutSeconds: 600, waitSeconds: 0 });
    await expect.poll(() => consumer.stats().inFlight).toBe(1);

    expect(await consumer.stop(100)).toBe(false);
    const next = queues.consume(payments);
    await expect.poll(() => next.stats().received).toBe(1);
    open();
    await queues.drained();
    expect(payments.balances.get('bob')).toBe(1n);
  });
});

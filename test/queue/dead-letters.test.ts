import { describe, expect, it } from 'vitest';
import { paymentEvent } from './support/events.ts';
import { startFaultyProxy } from './support/faulty-proxy.ts';
import type { MemoryPayments } from './support/memory-payments.ts';
import { clientOf, type TestQueues, type TestSqs, useQueues } from './support/sqs.ts';

let sqs: TestSqs;
let queues: TestQueues;
let payments: MemoryPayments;

useQueues((world) => {
  ({ sqs, queues, payments } = world);
});

const NOT_JSON = '{"id": "broken", ';
const WITHOUT_DATA = '{"id": "no-data", "type": "payment.requested"}';
const OTHER_TYPE = '{"id": "other", "type": "invoice.sent", "data": {}}';
const FLOAT = paymentEvent('float', { amount: 1.5 });
const STRANGER = paymentEvent('stranger', { destination: 'nobody' });
const DOLLARS = paymentEvent('dollars', { currency: 'USD' });

describe('dead letters', () => {
  it('takes bad messages out of the middle of a batch, with the reason, while the others go through', async () => {
    const good = Array.from({ length: 14 }, (_, n) => paymentEvent(`event-${n}`));
    const bad = [NOT_JSON, WITHOUT_DATA, OTHER_TYPE, FLOAT, STRANGER, DOLLARS];
    await queues.send(...good.slice(0, 3), ...bad.slice(0, 3), ...good.slice(3, 9), ...bad.slice(3), ...good.slice(9));
    const consumer = queues.consume(payments);
    await queues.drained();

    expect(payments.balances.get('bob')).toBe(14n);
    expect(consumer.stats()).toMatchObject({
      received: 20,
      posted: 14,
      deleted: 20,
      deadLettered: {
        malformed_json: 1,
        schema_violation: 2,
        unknown_type: 1,
        account_not_found: 1,
        currency_mismatch: 1,
      },
    });
    const letters = await queues.deadLetters();
    expect([...letters.keys()].sort()).toEqual([...bad].sort());
    expect(letters.get(NOT_JSON)).toMatchObject({ reason: 'malformed_json', code: 'invalid_event' });
    expect(letters.get(WITHOUT_DATA)).toMatchObject({ reason: 'schema_violation', code: 'invalid_event' });
    expect(letters.get(OTHER_TYPE)).toMatchObject({ reason: 'unknown_type', code: 'invalid_event' });
    expect(letters.get(FLOAT)?.detail).toMatch(/^\/data\/amount: must be a whole number of minor units/);
    expect(letters.get(STRANGER)).toMatchObject({ reason: 'account_not_found', code: 'account_not_found' });
    expect(letters.get(DOLLARS)).toMatchObject({ reason: 'currency_mismatch', code: 'currency_mismatch' });
    for (const letter of letters.values()) {
      expect(letter).toMatchObject({
        original_message_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
        receive_count: '1',
      });
    }
  });

  it('refuses an event id that was used with other data, and keeps the first payment', async () => {
    queues.consume(payments);
    await queues.send(paymentEvent('same-id'));
    await queues.drained();
    const reused = paymentEvent('same-id', { amount: '999' });
    await queues.send(reused);
    await queues.drained();

    expect(payments.balances.get('bob')).toBe(1n);
    expect((await queues.deadLetters()).get(reused)).toMatchObject({ reason: 'idempotency_key_reused' });
  });

  it('quotes what was sent as plain text, whatever it holds', async () => {
    const odd = JSON.stringify({ id: 'x', type: `\u001b[31m æøå\n${'y'.repeat(2_000)}`, data: {} });
    queues.consume(payments);
    await queues.send(odd);
    await queues.drained();

    const detail = (await queues.deadLetters()).get(odd)?.detail ?? '';
    expect(detail).toMatch(/^[\x20-\x7e]{500}$/);
  });

  it('keeps the message while the dead-letter queue does not take it', async () => {
    const proxy = await startFaultyProxy(sqs.endpoint);
    const client = clientOf(proxy.endpoint);
    try {
      proxy.refuses.add('SendMessageBatch');
      await queues.send(NOT_JSON, paymentEvent('fine'));
      const consumer = queues.consume(payments, {}, client);
      await expect.poll(() => consumer.stats().failed).toBeGreaterThan(0);
      expect(consumer.stats()).toMatchObject({ posted: 1, deadLettered: {} });
      expect(await queues.deadLetters()).toEqual(new Map());

      proxy.refuses.clear();
      await queues.drained();
      expect((await queues.deadLetters()).get(NOT_JSON)).toMatchObject({ reason: 'malformed_json' });
      expect(queues.warnings.filter((text) => text.includes('dead-letter queue does not work'))).toHaveLength(1);
    } finally {
      await queues.stop();
      client.destroy();
      await proxy.stop();
    }
  });
});

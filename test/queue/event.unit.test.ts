import { readFileSync } from 'node:fs';
import { describe, expect, it, test } from 'vitest';
import { readEvent } from '../../src/queue/event.ts';
import { followEvent, paymentEvent } from './support/events.ts';

const parseEvent = (body: string) => {
  const read = readEvent({ body, encoding: null, isPointer: false, traceParent: {} });
  return read.ok ? { ok: read.ok, event: read.event } : read;
};
const AMOUNT_RULE = 'must be a whole number of minor units from 1 to 999999999999999';

describe('an inbound event', () => {
  it('is read with its amount as a bigint', () => {
    const body = paymentEvent('event-1', { reference: 'INV-1', description: '$5 off', metadata: { shop: '7' } });
    expect(parseEvent(body)).toEqual({
      ok: true,
      event: {
        id: 'event-1',
        type: 'payment.requested',
        data: {
          source: 'alice',
          destination: 'bob',
          amount: 1n,
          currency: 'EUR',
          reference: 'INV-1',
          description: '$5 off',
          metadata: { shop: '7' },
        },
      },
    });
  });

  it.each([1, 999_999_999_999_999, '999999999999999'])('may have the amount %j', (amount) => {
    const parsed = parseEvent(paymentEvent('event-1', { amount }));
    expect(parsed).toMatchObject({ ok: true, event: { data: { amount: BigInt(amount) } } });
  });

  it.each([
    ['', 'malformed_json', ''],
    ['{', 'malformed_json', ''],
    ['null', 'schema_violation', 'the event: '],
    ['[]', 'schema_violation', 'the event: '],
    ['{"id":"1","data":{}}', 'schema_violation', '/type: '],
    ['{"id":"1","type":"toString","data":{}}', 'unknown_type', '/type: "toString" is not an event of this service'],
    ['{"id":"1","type":{"$ne":""},"data":{}}', 'schema_violation', '/type: '],
  ])('of %s is refused as %s', (body, reason, detail) => {
    const parsed = parseEvent(body);
    expect(parsed).toMatchObject({ ok: false, reason, detail: expect.stringContaining(detail) });
  });

  it.each([
    [{ amount: 0 }, `/data/amount: ${AMOUNT_RULE}`],
    [{ amount: -1 }, `/data/amount: ${AMOUNT_RULE}`],
    [{ amount: 1.5 }, `/data/amount: ${AMOUNT_RULE}`],
    [{ amount: 1e21 }, `/data/amount: ${AMOUNT_RULE}`],
    [{ amount: 2 ** 53 }, `/data/amount: ${AMOUNT_RULE}`],
    [{ amount: '1000000000000000' }, `/data/amount: ${AMOUNT_RULE}`],
    [{ amount: '007' }, `/data/amount: ${AMOUNT_RULE}`],
    [{ amount: ' 1' }, `/data/amount: ${AMOUNT_RULE}`],
    [{ amount: true }, `/data/amount: ${AMOUNT_RULE}`],
    [{ amount: [1] }, `/data/amount: ${AMOUNT_RULE}`],
    [{ amount: { $gt: '' } }, `/data/amount: ${AMOUNT_RULE}`],
    [{ currency: 'eur' }, '/data/currency: must be an active ISO 4217 code'],
    [{ currency: 'XYZ' }, '/data/currency: must be an active ISO 4217 code'],
    [{ source: '$where' }, '/data/source: must be 1 to 128 letters'],
    [{ source: 'a'.repeat(129) }, '/data/source: must be 1 to 128 letters'],
    [{ destination: 'alice' }, '/data/destination: must be another account than the source'],
    [{ reference: '$gt' }, '/data/reference: must not be a query operator'],
    [{ reference: 'a\u0000b' }, '/data/reference: must not hold control characters'],
    [{ reference: '' }, '/data/reference: must not be empty'],
    [{ description: '\ud800' }, '/data/description: must not hold control characters'],
    [{ description: 'a'.repeat(501) }, '/data/description: must be at most 500 characters'],
    [{ metadata: { $where: '1' } }, '/data/metadata/$where: '],
    [{ metadata: { a: 1 } }, '/data/metadata/a: '],
    [
      { metadata: Object.fromEntries(Array.from({ length: 51 }, (_, n) => [`k${n}`, 'v'])) },
      '/data/metadata: must have',
    ],
    [{ capture: 'later' }, 'capture'],
  ])('with the data %j is refused', (data, detail) => {
    const parsed = parseEvent(paymentEvent('event-1', data));
    expect(parsed).toMatchObject({ ok: false, reason: 'schema_violation', detail: expect.stringContaining(detail) });
  });

  it.each(['', 'a'.repeat(256), 'æ', 'a\nb', 7, null])('with the id %j is refused', (id) => {
    const parsed = parseEvent(JSON.stringify({ ...JSON.parse(paymentEvent('x')), id }));
    expect(parsed).toMatchObject({ ok: false, reason: 'schema_violation', detail: expect.stringContaining('/id: ') });
  });

  it.each(['{"__proto__":{"x":1},', '{"extra":1,'])('with the unknown field in %s is refused', (start) => {
    const parsed = parseEvent(paymentEvent('event-1').replace('{', start));
    expect(parsed).toMatchObject({ ok: false, reason: 'schema_violation' });
  });

  it('with more fields than any may have is refused before the schema looks at each of them', () => {
    const metadata = Object.fromEntries(Array.from({ length: 90_000 }, (_, n) => [`key ${n}`, 1]));
    const parsed = parseEvent(paymentEvent('event-1', { metadata }));
    const detail = 'the event has more than 2000 fields';
    expect(parsed).toEqual({ ok: false, reason: 'schema_violation', detail });
  });

  it('is refused with a detail of bounded length', () => {
    const parsed = parseEvent(paymentEvent('event-1', { ['x'.repeat(1_000_000)]: 1 }));
    expect(parsed).toMatchObject({
      ok: false,
      reason: 'schema_violation',
      detail: expect.stringMatching(/^.{1,500}$/),
    });
  });

  it('with a metadata key __proto__ is refused', () => {
    const parsed = parseEvent(paymentEvent('event-1').replace('"source"', '"metadata":{"__proto__":"x"},"source"'));
    expect(parsed).toMatchObject({ ok: false, reason: 'schema_violation' });
  });
});

describe('an event about a payment', () => {
  it.each([
    ['capture', { amount: '7', final: true, reference: 'R' }, { amount: 7n, isLast: true, reference: 'R' }],
    ['capture', {}, { isLast: undefined }],
    ['cancel', { description: 'sold out' }, { description: 'sold out' }],
    ['refund', { amount: 7, metadata: { why: 'broken' } }, { amount: 7n, metadata: { why: 'broken' } }],
  ] as const)('that asks for a %s with %j is read', (what, data, request) => {
    expect(parseEvent(followEvent('event-1', what, 'pay_1', data))).toEqual({
      ok: true,
      event: { id: 'event-1', type: `payment.${what}_requested`, data: { payment: 'pay_1', request } },
    });
  });

  it.each([
    ['capture', 'pay_1', { amount: 0 }, `/data/amount: ${AMOUNT_RULE}`],
    ['capture', 'pay_1', { final: 'yes' }, '/data/final: '],
    ['capture', 'txn_1', {}, '/data/payment: must be the id of a payment'],
    ['capture', undefined, {}, '/data/payment: '],
    ['capture', 'pay_1', { isLast: true }, 'isLast'],
    ['cancel', 'pay_1', { amount: 1 }, 'amount'],
    ['refund', 'pay_1', { final: true }, 'final'],
    ['refund', 'pay_1', { reference: '' }, '/data/reference: must not be empty'],
  ] as const)('that asks for a %s of %s with %j is refused', (what, payment, data, detail) => {
    const parsed = parseEvent(followEvent('event-1', what, payment as string, data));
    expect(parsed).toMatchObject({ ok: false, reason: 'schema_violation', detail: expect.stringContaining(detail) });
  });
});

test('the document shows events that are taken', () => {
  const document = readFileSync(new URL('../../docs/queue.md', import.meta.url), 'utf8');
  const blocks = [...document.matchAll(/^```json\n(.*?)^```$/gms)].map(([, body]) => body!);
  const shown = blocks.filter((body) => body.startsWith('{"id"')).map(parseEvent);
  expect(shown).toMatchObject([
    { ok: true, event: { type: 'payment.requested' } },
    { ok: true, event: { type: 'payment.capture_requested' } },
  ]);
});

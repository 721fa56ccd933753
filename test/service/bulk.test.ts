import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Payment } from './support/api.ts';
import { useService } from './support/service.ts';

interface Result {
  readonly index: number;
  readonly idempotency_key: string | null;
  readonly status: number;
  readonly replayed: boolean;
  readonly payment: Payment | null;
  readonly error: { code: string; errors?: { pointer?: string }[] } | null;
}

const service = useService({ BOOKS: '2' });
const COUNT = 1_000;
const LINES = 5_000;

beforeAll(async () => {
  for (const id of ['world:EUR', 'shop', 'poor']) await service.api.post('/v1/accounts', { id, currency: 'EUR' });
});

const item = (more: object = {}) => {
  const fields = { source: 'world:EUR', destination: 'shop', amount: 1, currency: 'EUR' };
  return { idempotency_key: randomUUID(), ...fields, ...more };
};
const send = (payments: unknown) => service.api.post<{ data: Result[] }>('/v1/payments/bulk', { payments });
const posted = async () => Number((await service.api.read<{ posted: string }>('/v1/accounts/shop/balance')).posted);

describe('many payments in one request', () => {
  it('are all made, each once, and answered in their order', async () => {
    const before = await posted();
    const payments = Array.from({ length: COUNT }, () => item());
    const { status, body } = await send(payments);
    expect(status).toBe(200);
    expect(body.data.map(({ idempotency_key }) => idempotency_key)).toEqual(payments.map((one) => one.idempotency_key));
    expect(new Set(body.data.map((one) => `${one.status} ${one.replayed} ${one.payment?.status}`))).toEqual(
      new Set(['201 false posted']),
    );
    const again = await send(payments);
    expect(again.body.data.every(({ replayed }) => replayed)).toBe(true);
    expect(again.body.data.map(({ payment }) => payment)).toEqual(body.data.map(({ payment }) => payment));
    expect(await posted()).toBe(before + COUNT);
  });

  it('fail each for itself, with the same error as alone', async () => {
    const before = await posted();
    const twice = item();
    const { body } = await send(
      [
        item(),
        item({ amount: -1 }),
        item({ source: 'poor' }),
        item({ destination: 'nobody' }),
        { ...item(), idempotency_key: '' },
        twice,
        { ...twice, amount: 2 },
        'nothing like a payment',
      ].filter((one) => typeof one === 'object'),
    );
    expect(body.data.map(({ status, error }) => error?.code ?? status)).toEqual([
      201,
      'validation_failed',
      'insufficient_funds',
      'account_not_found',
      'validation_failed',
      201,
      'idempotency_key_reused',
    ]);
    expect(body.data[1]!.error!.errors![0]!.pointer).toBe('/amount');
    expect(await posted()).toBe(before + 2);
  });

  it.each([
    ['none', []],
    ['too many', Array.from({ length: COUNT + 1 }, () => ({}))],
  ])('are refused as a whole when they are %s', async (_, payments) => {
    expect((await send(payments)).status).toBe(400);
  });
});

describe('a payment a line', () => {
  const stream = async (lines: readonly string[]) => {
    const answer = await fetch(`${service.api.address}/v1/payments/bulk`, {
      method: 'POST',
      headers: { authorization: `Bearer ${service.api.key}`, 'content-type': 'application/x-ndjson' },
      body: lines.join('\n'),
    });
    const text = await answer.text();
    return {
      answer,
      results: text
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Result),
    };
  };

  it('is answered with a result a line, in their order, however many they are', async () => {
    const before = await posted();
    const payments = Array.from({ length: LINES }, () => item());
    const { answer, results } = await stream(payments.map((one) => JSON.stringify(one)));
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'application/x-ndjson']);
    expect(results.map(({ index }) => index)).toEqual(payments.map((_, index) => index));
    expect(results.map(({ idempotency_key }) => idempotency_key)).toEqual(payments.map((one) => one.idempotency_key));
    expect(new Set(results.map(({ status }) => status))).toEqual(new Set([201]));
    expect(await posted()).toBe(before + LINES);
  });

  it('that is none fails alone', async () => {
    const { results } = await stream([JSON.stringify(item()), '{', '', JSON.stringify(item())]);
    expect(results.map(({ status, error }) => error?.code ?? status)).toEqual([201, 'invalid_json', 201]);
  });
});

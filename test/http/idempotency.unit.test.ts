import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { LedgerError } from '../../src/ledger/errors.ts';
import { fund, type TestApp, testApp } from './support/app.ts';

let target: TestApp;
beforeEach(async () => {
  target = await testApp();
  await fund(target);
});
afterEach(() => target.app.close());

const PAYMENT = { source: 'alice', destination: 'bob', amount: 100, currency: 'EUR' };
const TRANSACTION = {
  postings: [
    { account: 'alice', amount: -100, currency: 'EUR' },
    { account: 'bob', amount: '100', currency: 'EUR' },
  ],
};
const TOO_MUCH = { ...PAYMENT, amount: 1_000_000 };

describe.each<[string, object]>([
  ['/v1/payments', PAYMENT],
  ['/v1/transactions', TRANSACTION],
])('%s', (url, body) => {
  test.each<[string, string | undefined, string]>([
    ['no key', undefined, 'idempotency_key_missing'],
    ['an empty key', '', 'idempotency_key_missing'],
    ['256 characters', 'k'.repeat(256), 'idempotency_key_invalid'],
    ['a character beyond ASCII', 'clé', 'idempotency_key_invalid'],
    ['a tab', 'a\tb', 'idempotency_key_invalid'],
  ])('refuses %s', async (_what, key, code) => {
    const headers = { 'content-type': 'application/json', ...(key === undefined ? {} : { 'idempotency-key': key }) };
    const answer = await target.inject({ method: 'POST', url, headers, payload: JSON.stringify(body) });
    expect(answer.statusCode).toBe(400);
    expect(answer.json()).toMatchObject({ code, retryable: false, errors: [{ header: 'Idempotency-Key' }] });
    expect(target.payments.calls).toBe(0);
  });

  test.each(['k', 'k'.repeat(255), 'a b, c', '~!"#$%&\'()*+,-./:;<=>?@[]^_`{|}'])('takes the key %s', async (key) => {
    expect((await target.post(url, body, key)).statusCode).toBe(201);
    expect((await target.post(url, body, key)).headers['idempotent-replayed']).toBe('true');
  });

  test('answers a repeated request as at first, and says that it is a replay', async () => {
    const first = await target.post(url, body, 'k1');
    const second = await target.post(url, body, 'k1');
    expect(first.headers['idempotent-replayed']).toBeUndefined();
    expect(second.headers['idempotent-replayed']).toBe('true');
    expect(second.statusCode).toBe(201);
    expect(second.body).toBe(first.body);
    expect(second.headers.location).toBe(first.headers.location);
    expect((await target.get('/v1/accounts/bob/balance')).json().posted).toBe('100');
  });

  test('refuses another request under a key that was used', async () => {
    await target.post(url, body, 'k1');
    const answer = await target.post(url, { ...body, reference: 'other' }, 'k1');
    expect(answer.statusCode).toBe(422);
    expect(answer.json()).toMatchObject({
      code: 'idempotency_key_reused',
      retryable: false,
      errors: [{ header: 'Idempotency-Key' }],
    });
  });

  test('says when the first request is still running', async () => {
    target.payments.failure = new LedgerError('idempotency_key_in_progress', 'still running');
    const answer = await target.post(url, body);
    expect(answer.statusCode).toBe(409);
    expect(answer.headers['retry-after']).toMatch(/^\d+$/);
    expect(answer.json()).toMatchObject({ code: 'idempotency_key_in_progress', retryable: true });
  });

  test('scopes keys to the client', async () => {
    const first = await target.post(url, body, 'k1');
    const other = await target.inject({
      method: 'POST',
      url,
      headers: {
        authorization: `Bearer ${target.keys.add({ client: 'other' })}`,
        'content-type': 'application/json',
        'idempotency-key': 'k1',
      },
      payload: JSON.stringify(body),
    });
    expect(other.statusCode).toBe(201);
    expect(other.headers['idempotent-replayed']).toBeUndefined();
    expect(other.json().id).not.toBe(first.json().id);
  });
});

test('two Idempotency-Key headers are refused', async () => {
  await target.app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = target.app.server.address() as { port: number };
  const { request } = await import('undici');
  const answer = await request(`http://127.0.0.1:${port}/v1/payments`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${target.key}`,
      'content-type': 'application/json',
      'idempotency-key': ['a', 'b'],
    },
    body: JSON.stringify(PAYMENT),
  });
  expect(answer.statusCode).toBe(400);
  expect(await answer.body.json()).toMatchObject({ code: 'idempotency_key_invalid' });
  expect(target.payments.calls).toBe(0);
});

describe('a payment that the ledger rejects', () => {
  test('is a 422 with the reason as its code, and is kept', async () => {
    const answer = await target.post('/v1/payments', TOO_MUCH);
    const problem = answer.json();
    expect(answer.statusCode).toBe(422);
    expect(problem).toMatchObject({ code: 'insufficient_funds', status: 422, retryable: false });
    expect(problem.instance).toBe(`/v1/payments/${problem.payment_id}`);
    const kept = await target.get(problem.instance);
    expect(kept.statusCode).toBe(200);
    expect(kept.json()).toMatchObject({
      id: problem.payment_id,
      transaction_id: problem.transaction_id,
      status: 'rejected',
      rejection_reason: 'insufficient_funds',
    });
  });

  test('is replayed to the last byte', async () => {
    const first = await target.post('/v1/payments', TOO_MUCH, 'k1');
    const second = await target.post('/v1/payments', TOO_MUCH, 'k1');
    expect(second.statusCode).toBe(422);
    expect(second.body).toBe(first.body);
    expect(first.headers['idempotent-replayed']).toBeUndefined();
    expect(second.headers['idempotent-replayed']).toBe('true');
    expect(second.headers['x-request-id']).not.toBe(first.headers['x-request-id']);
  });

  test('is replayed as a transaction too', async () => {
    const body = {
      postings: [
        { account: 'alice', amount: -20_000, currency: 'EUR' },
        { account: 'bob', amount: 20_000, currency: 'EUR' },
      ],
    };
    const first = await target.post('/v1/transactions', body, 'k1');
    const second = await target.post('/v1/transactions', body, 'k1');
    expect(first.statusCode).toBe(422);
    expect(first.json()).toMatchObject({ code: 'insufficient_funds', transaction_id: expect.stringMatching(/^txn_/) });
    expect(second.body).toBe(first.body);
    const kept = (await target.get(first.json().instance)).json();
    expect(kept.postings[0]).toEqual({ account: 'alice', amount: '-20000', currency: 'EUR', posted: null, held: null });
  });

  test('names the limit of the destination', async () => {
    await target.post('/v1/accounts', { id: 'capped', currency: 'EUR', max_balance: 50 });
    const answer = await target.post('/v1/payments', { ...PAYMENT, destination: 'capped' });
    expect(answer.json()).toMatchObject({ status: 422, code: 'balance_limit_exceeded' });
  });
});

describe('an account is created once', () => {
  const account = { id: 'dave', currency: 'EUR', metadata: { tier: 'gold' } };
  test('201 at first, 200 for the same again, without a key', async () => {
    const headers = { 'content-type': 'application/json' };
    const create = () =>
      target.inject({ method: 'POST', url: '/v1/accounts', headers, payload: JSON.stringify(account) });
    const first = await create();
    const second = await create();
    expect([first.statusCode, second.statusCode]).toEqual([201, 200]);
    expect(second.body).toBe(first.body);
    expect(first.headers.location).toBe('/v1/accounts/dave');
  });
  test.each([{ currency: 'USD' }, { min_balance: -5 }, { max_balance: 1 }])('409 with %j', async (change) => {
    await target.post('/v1/accounts', account);
    const answer = await target.post('/v1/accounts', { ...account, ...change });
    expect(answer.statusCode).toBe(409);
    expect(answer.json()).toMatchObject({ code: 'account_exists', errors: [{ pointer: '/id' }] });
  });
});

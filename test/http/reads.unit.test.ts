import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  accountResource,
  balanceResource,
  entryResource,
  listOf,
  paymentResource,
  transactionResource,
  trialBalanceRow,
} from '../../src/resources/schemas.ts';
import { fund, type TestApp, testApp } from './support/app.ts';

let target: TestApp;
beforeAll(async () => {
  target = await testApp();
  await fund(target);
  for (let n = 1; n <= 24; n++) {
    const body = { source: 'alice', destination: 'bob', amount: n, currency: 'EUR', reference: `order-${n % 2}` };
    await target.post('/v1/payments', body);
  }
  await target.post('/v1/payments', { source: 'alice', destination: 'bob', amount: 1_000_000, currency: 'EUR' });
});
afterAll(() => target.app.close());

const ids = async (url: string): Promise<string[]> => {
  const answer = await target.get(url);
  expect(answer.statusCode).toBe(200);
  return answer.json().data.map(({ id }: { id: string }) => id);
};

describe('answers are as documented', () => {
  test.each([
    ['/v1/accounts', listOf(accountResource)],
    ['/v1/accounts/alice', accountResource],
    ['/v1/accounts/world:EUR', accountResource],
    ['/v1/accounts/alice/balance', balanceResource],
    ['/v1/accounts/carol/balance', balanceResource],
    ['/v1/accounts/alice/entries', listOf(entryResource)],
    ['/v1/payments', listOf(paymentResource)],
    ['/v1/payments/pay_00000000-0000-7000-8000-000000000002', paymentResource],
    ['/v1/payments/pay_00000000-0000-7000-8000-000000000026', paymentResource],
    ['/v1/transactions', listOf(transactionResource)],
    ['/v1/transactions/txn_00000000-0000-7000-8000-000000000002', transactionResource],
    ['/v1/transactions/txn_00000000-0000-7000-8000-000000000026', transactionResource],
    ['/v1/trial_balance', listOf(trialBalanceRow)],
  ])('%s', async (url, schema) => {
    const answer = await target.get(url);
    expect(answer.statusCode).toBe(200);
    expect(answer.headers['content-type']).toMatch(/^application\/json/);
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(schema.safeParse(answer.json()).error).toBeUndefined();
  });
});

describe('accounts', () => {
  test.each([
    ['may not go below zero unless told', { id: 'a1', currency: 'EUR' }, { min_balance: '0', max_balance: null }],
    ['may when told', { id: 'a2', currency: 'EUR', min_balance: '-500' }, { min_balance: '-500' }],
    ['may without a limit', { id: 'a3', currency: 'EUR', min_balance: null }, { min_balance: null }],
    ['have a highest balance', { id: 'a4', currency: 'EUR', max_balance: 7 }, { max_balance: '7' }],
    ['of the world have no limit', { id: 'world:JPY', currency: 'JPY' }, { min_balance: null, max_balance: null }],
    ['keep metadata', { id: 'a5', currency: 'EUR', metadata: { k: 'v' } }, { metadata: { k: 'v' } }],
  ])('%s', async (_what, body, expected) => {
    const created = await target.post('/v1/accounts', body);
    expect(created.statusCode).toBe(201);
    expect(created.json()).toMatchObject(expected);
    expect((await target.get(`/v1/accounts/${body.id}`)).json()).toEqual(created.json());
  });

  test('may have an id of 128 characters', async () => {
    const id = `user:${'x'.repeat(123)}`;
    await target.post('/v1/accounts', { id, currency: 'EUR' });
    expect((await target.get(`/v1/accounts/${id}`)).json().id).toBe(id);
    expect((await target.get(`/v1/accounts/${encodeURIComponent(id)}`)).json().id).toBe(id);
  });
});

describe('amounts', () => {
  test.each([100, '100'])('%j is answered as a string', async (amount) => {
    const body = { source: 'world:EUR', destination: 'bob', amount, currency: 'EUR' };
    expect((await target.post('/v1/payments', body)).json().amount).toBe('100');
  });
  test('the largest is not rounded', async () => {
    await target.post('/v1/accounts', { id: 'rich', currency: 'EUR' });
    const body = { source: 'world:EUR', destination: 'rich', amount: '999999999999999', currency: 'EUR' };
    for (let n = 0; n < 11; n++) await target.post('/v1/payments', body);
    const balance = await target.get('/v1/accounts/rich/balance');
    expect(balance.json().posted).toBe('10999999999999989');
  });
});

describe('a balance', () => {
  test('now and in the past', async () => {
    const now = (await target.get('/v1/accounts/alice/balance')).json();
    expect(now).toMatchObject({ posted: '9700', held: '0', available: '9700', currency: 'EUR' });
    const past = (await target.get('/v1/accounts/alice/balance?at=2026-01-31T12:00:02Z')).json();
    expect(past).toMatchObject({ posted: '9999', as_of: '2026-01-31T12:00:02.000Z' });
    const before = (await target.get('/v1/accounts/alice/balance?at=2026-01-31T12:00:00%2B01:00')).json();
    expect(before).toMatchObject({ posted: '0', as_of: '2026-01-31T11:00:00.000Z' });
  });
});

describe('a page', () => {
  test('holds the newest ten, unless told', async () => {
    const answer = (await target.get('/v1/payments')).json();
    expect(answer).toMatchObject({ object: 'list', has_more: true, url: '/v1/payments' });
    expect(answer.data).toHaveLength(10);
  });

  test('goes on after its last item, without gap or overlap', async () => {
    const newest = (await ids('/v1/payments?limit=100')).slice();
    const walked: string[] = [];
    for (let cursor = ''; ; cursor = `&starting_after=${walked.at(-1)}`) {
      const page = (await target.get(`/v1/payments?limit=7${cursor}`)).json();
      walked.push(...page.data.map(({ id }: { id: string }) => id));
      if (!page.has_more) break;
    }
    expect(walked).toEqual(newest);
  });

  test('goes back before its first item, the item itself left out', async () => {
    const newest = await ids('/v1/payments?limit=100');
    expect(await ids(`/v1/payments?limit=3&ending_before=${newest[5]}`)).toEqual(newest.slice(2, 5));
  });

  test('of a statement is walked by the ids of its lines', async () => {
    const newest = await ids('/v1/accounts/bob/entries?limit=100');
    const page = (await target.get(`/v1/accounts/bob/entries?limit=2&starting_after=${newest[1]}`)).json();
    expect(page.data.map(({ id }: { id: string }) => id)).toEqual(newest.slice(2, 4));
    expect(page.url).toBe('/v1/accounts/bob/entries');
  });

  test.each([
    ['/v1/payments?limit=0', 'limit'],
    ['/v1/payments?limit=101', 'limit'],
    ['/v1/payments?limit=-1', 'limit'],
    ['/v1/payments?limit=1.5', 'limit'],
    ['/v1/payments?limit=010', 'limit'],
    ['/v1/payments?limit=', 'limit'],
    ['/v1/payments?limit=1&limit=2', 'limit'],
    ['/v1/payments?limit[$gt]=1', 'limit[$gt]'],
    ['/v1/payments?starting_after=a&ending_before=b', 'ending_before'],
    ['/v1/payments?starting_after=%24gt', 'starting_after'],
    ['/v1/payments?starting_after=%00', 'starting_after'],
    ['/v1/payments?status=done', 'status'],
    ['/v1/payments?account=$ne', 'account'],
    ['/v1/payments?reference=', 'reference'],
    ['/v1/payments?created[gte]=yesterday', 'created[gte]'],
    ['/v1/payments?created[gte]=2026-02-30T00:00:00Z', 'created[gte]'],
    ['/v1/payments?created[gte]=1767225600', 'created[gte]'],
    ['/v1/payments?created[ne]=2026-01-01T00:00:00Z', 'created[ne]'],
    ['/v1/payments?created[gt]=2026-01-01T00:00:00Z&created[gt]=2026-01-02T00:00:00Z', 'created[gt]'],
    ['/v1/payments?currency=eur', 'currency'],
    ['/v1/payments?amount=0', 'amount'],
    ['/v1/payments?amount=1.5', 'amount'],
    ['/v1/payments?amount[gte]=-1', 'amount[gte]'],
    ['/v1/payments?amount[lte]=1e3', 'amount[lte]'],
    ['/v1/payments?amount[gt]=1', 'amount[gt]'],
    ['/v1/payments?amount=1&amount[gte]=1', 'amount'],
    ['/v1/payments?metadata=x', 'metadata'],
    ['/v1/payments?metadata[]=x', 'metadata[]'],
    ['/v1/payments?metadata[a.b]=x', 'metadata[a.b]'],
    ['/v1/payments?metadata[$gt]=x', 'metadata[$gt]'],
    ['/v1/payments?metadata[a]=', 'metadata[a]'],
    ['/v1/payments?metadata[a]=$ne', 'metadata[a]'],
    ['/v1/payments?metadata[a]=1&metadata[a]=2', 'metadata[a]'],
    ['/v1/payments?metadata[a][b]=1', 'metadata[a][b]'],
    ['/v1/payments?metadata[a]=1&metadata[b]=1&metadata[c]=1&metadata[d]=1&metadata[e]=1&metadata[f]=1', 'metadata[f]'],
    ['/v1/payments?page=2', 'page'],
    ['/v1/payments?__proto__=1', '__proto__'],
    ['/v1/accounts?status=posted', 'status'],
    ['/v1/accounts/alice?at=2026-01-01T00:00:00Z', 'at'],
    ['/v1/accounts/alice/balance?at=now', 'at'],
    ['/v1/accounts/alice/entries?limit=x', 'limit'],
    ['/v1/accounts/alice/entries?kind=fee', 'kind'],
    ['/v1/accounts/alice/entries?direction=in', 'direction'],
    ['/v1/accounts/alice/entries?created[gte]=x', 'created[gte]'],
    ['/v1/transactions?limit=x', 'limit'],
    ['/v1/transactions?kind=x', 'kind'],
    ['/v1/transactions?account=transit:0:1:EUR', 'account'],
    ['/v1/transactions?status=posted', 'status'],
    ['/v1/trial_balance?currency=EUR', 'currency'],
  ])('%s is refused', async (url, parameter) => {
    target.payments.calls = 0;
    const answer = await target.get(url);
    expect(answer.statusCode).toBe(400);
    expect(answer.json()).toMatchObject({ code: 'validation_failed', errors: [{ parameter }] });
    expect(target.payments.calls).toBe(0);
  });

  test.each(['starting_after', 'ending_before'])('after %s an item that is not there is refused', async (parameter) => {
    const answer = await target.get(`/v1/payments?${parameter}=pay_nobody`);
    expect(answer.statusCode).toBe(400);
    expect(answer.json()).toMatchObject({ code: 'invalid_cursor', errors: [{ parameter }] });
  });
});

describe('payments are found', () => {
  test.each([
    ['status=rejected', 1],
    ['status=rejected&account=carol', 0],
    ['reference=order-1', 12],
    ['account=alice&reference=order-0', 12],
    ['currency=EUR&amount=7', 1],
    ['currency=USD', 0],
    ['amount[gte]=20&amount[lte]=24', 5],
    ['metadata[order]=7', 0],
    ['created[gte]=2026-01-31T12:00:24Z&created[lte]=2026-01-31T12:00:25Z', 2],
    ['created%5Bgte%5D=2026-01-31T12:00:24Z&created%5Blte%5D=2026-01-31T12:00:25Z', 2],
  ])('by %s', async (query, count) => {
    expect(await ids(`/v1/payments?limit=100&${query}`)).toHaveLength(count);
  });

  test('the filter reaches the ledger as it was given', async () => {
    await target.get(
      '/v1/payments?status=posted&account=bob&reference=x&created[gte]=2026-01-01T00:00:00Z&created[lte]=2026-02-01T00:00:00.5Z',
    );
    expect(target.payments.lastFilter).toEqual({
      status: 'posted',
      account: 'bob',
      reference: 'x',
      currency: undefined,
      amountFrom: undefined,
      amountTo: undefined,
      metadata: undefined,
      createdFrom: new Date('2026-01-01T00:00:00.000Z'),
      createdTo: new Date('2026-02-01T00:00:00.500Z'),
    });
    await target.get('/v1/payments?currency=EUR&amount=7&metadata[order]=7&metadata%5Bshop%5D=a%20b');
    expect(target.payments.lastFilter).toMatchObject({
      currency: 'EUR',
      amountFrom: 7n,
      amountTo: 7n,
      metadata: { order: '7', shop: 'a b' },
    });
  });

  test.each([
    ['created[gt]=2026-01-01T00:00:00.000Z', { createdFrom: new Date('2026-01-01T00:00:00.001Z') }],
    ['created[lt]=2026-01-01T00:00:00.000Z', { createdTo: new Date('2025-12-31T23:59:59.999Z') }],
    ['created[gte]=2026-01-01T00:00:00.0004Z', { createdFrom: new Date('2026-01-01T00:00:00.001Z') }],
    ['created[gt]=2026-01-01T00:00:00.0004Z', { createdFrom: new Date('2026-01-01T00:00:00.001Z') }],
    ['created[lte]=2026-01-01T00:00:00.0004Z', { createdTo: new Date('2026-01-01T00:00:00.000Z') }],
    ['created[lt]=2026-01-01T00:00:00.0004Z', { createdTo: new Date('2026-01-01T00:00:00.000Z') }],
    [
      'created[gt]=2026-01-01T00:00:00Z&created[gte]=2026-01-02T00:00:00Z',
      { createdFrom: new Date('2026-01-02T00:00:00.000Z') },
    ],
    ['amount[gte]=5&amount[lte]=9', { amountFrom: 5n, amountTo: 9n }],
  ])('bounds are exact: %s', async (query, expected) => {
    await target.get(`/v1/payments?${query}`);
    expect(target.payments.lastFilter).toMatchObject(expected);
  });
});

describe('movements are found', () => {
  test.each([
    ['/v1/accounts/alice/entries?direction=credit', 1],
    ['/v1/accounts/alice/entries?direction=debit', 24],
    ['/v1/accounts/alice/entries?kind=transaction', 0],
    ['/v1/accounts/alice/entries?created[gt]=2026-01-31T12:00:24Z', 1],
    ['/v1/transactions?account=world:EUR&created[lt]=2026-01-31T12:00:27Z', 1],
    ['/v1/transactions?account=nobody', 0],
    ['/v1/transactions?kind=payment&created[lt]=2026-01-31T12:00:27Z', 26],
    ['/v1/transactions?kind=payment&created[lt]=2026-01-31T12:00:03Z', 2],
  ])('by %s', async (url, count) => {
    expect(await ids(`${url}${url.includes('?') ? '&' : '?'}limit=100`)).toHaveLength(count);
  });
});

test('a payment is also a transaction, with the balances after it', async () => {
  const payment = (await target.get('/v1/payments/pay_00000000-0000-7000-8000-000000000002')).json();
  const transaction = (await target.get(`/v1/transactions/${payment.transaction_id}`)).json();
  expect(transaction).toMatchObject({ kind: 'payment', status: 'posted', created_at: payment.created_at });
  expect(transaction.postings).toEqual([
    { account: 'alice', amount: '-1', currency: 'EUR', posted: '9999', held: '0' },
    { account: 'bob', amount: '1', currency: 'EUR', posted: '1', held: '0' },
  ]);
});

test('the trial balance sums to zero', async () => {
  const { data } = (await target.get('/v1/trial_balance')).json();
  expect(data.map(({ currency }: { currency: string }) => currency)).toContain('EUR');
  for (const row of data) expect(row.sum).toBe('0');
});

test('health', async () => {
  expect((await target.app.inject('/livez')).json()).toEqual({ status: 'ok' });
  expect((await target.app.inject('/readyz')).json()).toEqual({ status: 'ready', checks: { mongodb: 'ok' } });
});

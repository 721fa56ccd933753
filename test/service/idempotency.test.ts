import { beforeAll, describe, expect, it } from 'vitest';
import { generateApiKey, hashApiKey } from '../../src/http/auth.ts';
import { MongoApiKeys } from '../../src/mongo/api-keys.ts';
import { type Account, Api, type Balance, type Payment, type Problem, type Transaction } from './support/api.ts';
import { countDocuments, useService } from './support/service.ts';

const CALLERS = 50;
const service = useService();

beforeAll(async () => {
  await service.api.createAccounts('world:EUR', 'alice', 'bob', 'carol', 'dave', 'poor');
  await service.api.pay('world:EUR', 'alice', 100_000);
});

async function posted(account: string): Promise<string> {
  return (await service.api.read<Balance>(`/v1/accounts/${account}/balance`)).posted;
}

function many<T>(send: (index: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: CALLERS }, (_, index) => send(index)));
}

describe('the same key at once from 50 callers', () => {
  it('moves the money of a payment once and gives all of them the same body, one of them as the first', async () => {
    const body = { source: 'alice', destination: 'bob', amount: 700, currency: 'EUR', reference: 'INV-1' };
    const answers = await many(() => service.api.post<Payment>('/v1/payments', body, 'fifty-at-once'));
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    expect(answers.map(({ status }) => status)).toEqual(Array(CALLERS).fill(201));
    expect(answers.filter(({ headers }) => headers.get('idempotent-replayed') === null)).toHaveLength(1);
    expect(answers[0]!.body).toMatchObject({ object: 'payment', status: 'posted', amount: '700', reference: 'INV-1' });
    expect(await posted('bob')).toBe('700');
    const again = await service.api.post<Payment>('/v1/payments', body, 'fifty-at-once');
    expect(again.headers.get('idempotent-replayed')).toBe('true');
    expect(again.text).toBe(answers[0]!.text);
    expect(await service.api.read<Payment>(`/v1/payments/${again.body.id}`)).toEqual(again.body);
  });

  it('posts a transaction once', async () => {
    const legs = [
      { account: 'alice', amount: '-30', currency: 'EUR' },
      { account: 'carol', amount: '10', currency: 'EUR' },
      { account: 'dave', amount: '20', currency: 'EUR' },
    ];
    const answers = await many(() => service.api.post<Transaction>('/v1/transactions', { postings: legs }, 'split'));
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    expect(answers.filter(({ headers }) => headers.get('idempotent-replayed') === null)).toHaveLength(1);
    expect([await posted('carol'), await posted('dave')]).toEqual(['10', '20']);
    const read = await service.api.read<Transaction>(`/v1/transactions/${answers[0]!.body.id}`);
    expect(read).toEqual(answers[0]!.body);
  });

  it('rejects once, with the same problem for all', async () => {
    const body = { source: 'poor', destination: 'bob', amount: 1, currency: 'EUR' };
    const answers = await many(() => service.api.post<Problem>('/v1/payments', body, 'too-much'));
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    expect(answers[0]).toMatchObject({ status: 422, body: { code: 'insufficient_funds', retryable: false } });
    expect(answers.filter(({ headers }) => headers.get('idempotent-replayed') === null)).toHaveLength(1);
    const kept = await service.api.read<Payment>(`/v1/payments/${answers[0]!.body.payment_id}`);
    expect(kept).toMatchObject({ status: 'rejected', rejection_reason: 'insufficient_funds', amount: '1' });
  });

  it('with different bodies lets one of them through and refuses the others', async () => {
    const before = BigInt(await posted('carol'));
    const answers = await many((index) => {
      const body = { source: 'alice', destination: 'carol', amount: 1_000 + index, currency: 'EUR' };
      return service.api.post<Payment | Problem>('/v1/payments', body, 'one-key-many-bodies');
    });
    const through = answers.filter(({ status }) => status === 201);
    expect(through).toHaveLength(1);
    const others = answers.filter(({ status }) => status !== 201);
    expect(new Set(others.map(({ body }) => (body as Problem).code))).toEqual(new Set(['idempotency_key_reused']));
    expect(BigInt(await posted('carol')) - before).toBe(BigInt((through[0]!.body as Payment).amount));
  });

  it('creates an account once', async () => {
    const answers = await many(() => service.api.post<Account>('/v1/accounts', { id: 'newcomer', currency: 'EUR' }));
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    expect(answers.map(({ status }) => status).sort()).toEqual([...Array(CALLERS - 1).fill(200), 201]);
  });
});

describe('a key that was used', () => {
  it('replays its rejection though there is money by now', async () => {
    const body = { source: 'poor', destination: 'bob', amount: 5, currency: 'EUR' };
    const first = await service.api.post<Problem>('/v1/payments', body, 'rejected-first');
    await service.api.pay('alice', 'poor', 100);
    const second = await service.api.post<Problem>('/v1/payments', body, 'rejected-first');
    expect(second.status).toBe(422);
    expect(second.text).toBe(first.text);
    expect(second.headers.get('idempotent-replayed')).toBe('true');
    expect(await posted('poor')).toBe('100');
  });

  it.each([
    ['another amount', { amount: 8 }],
    ['another destination', { destination: 'carol' }],
    ['a reference', { reference: 'x' }],
    ['metadata', { metadata: { order: '1' } }],
  ])('is refused with %s, and nothing is written', async (_, change) => {
    const body = { source: 'alice', destination: 'bob', amount: 7, currency: 'EUR' };
    const key = `reused-${Object.keys(change)[0]}`;
    await service.api.post('/v1/payments', body, key);
    const before = await countDocuments(service.db);
    const answer = await service.api.post<Problem>('/v1/payments', { ...body, ...change }, key);
    expect(answer).toMatchObject({
      status: 422,
      body: { code: 'idempotency_key_reused', errors: [{ header: 'Idempotency-Key' }] },
    });
    const { payments: _taken, ...ledger } = await countDocuments(service.db);
    expect(before).toMatchObject(ledger);
  });

  it('is the same request however its amount and fields are written', async () => {
    const body = { source: 'alice', destination: 'bob', amount: 9, currency: 'EUR', metadata: { a: '1', b: '2' } };
    const first = await service.api.post('/v1/payments', body, 'written-otherwise');
    const { amount: _, ...rest } = body;
    const otherwise = { amount: '9', ...rest, metadata: { b: '2', a: '1' } };
    const second = await service.api.post('/v1/payments', otherwise, 'written-otherwise');
    expect([second.status, second.text]).toEqual([201, first.text]);
  });

  it('is free again when its request was refused before it was claimed', async () => {
    const body = { source: 'alice', destination: 'latecomer', amount: 3, currency: 'EUR' };
    const first = await service.api.post<Problem>('/v1/payments', body, 'early');
    expect(first).toMatchObject({ status: 422, body: { code: 'account_not_found' } });
    await service.api.createAccounts('latecomer');
    expect(await service.api.post('/v1/payments', body, 'early')).toMatchObject({ status: 201 });
    expect(await posted('latecomer')).toBe('3');
  });

  it('of one client says nothing to another client', async () => {
    const key = generateApiKey();
    const scopes = ['payments:write'];
    await new MongoApiKeys(service.db).add({ hash: hashApiKey(key), client: 'other', scopes, expiresAt: null });
    const body = { source: 'alice', destination: 'bob', amount: 11, currency: 'EUR' };
    const mine = await service.api.post<Payment>('/v1/payments', body, 'shared-key');
    const theirs = await new Api(service.api.address, key).post<Payment>('/v1/payments', body, 'shared-key');
    expect(theirs.status).toBe(201);
    expect(theirs.headers.get('idempotent-replayed')).toBeNull();
    expect(theirs.body.id).not.toBe(mine.body.id);
  });
});

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { accountResource, balanceSumsResource, balancesResource, listOf } from '../../src/resources/schemas.ts';
import { fund, type TestApp, testApp } from './support/app.ts';

let target: TestApp;
beforeAll(async () => {
  target = await testApp();
  await fund(target);
});
afterAll(() => target.app.close());

describe('the balances of many accounts', () => {
  test('are answered in the order asked for, with the unknown apart, without an Idempotency-Key', async () => {
    const payload = { accounts: ['carol', 'nobody', 'alice', 'carol'] };
    const answer = await target.inject({ method: 'POST', url: '/v1/balances/query', payload });
    expect(answer.statusCode).toBe(200);
    expect(balancesResource.safeParse(answer.json()).error).toBeUndefined();
    expect(answer.json()).toMatchObject({
      data: [{ account: 'carol' }, { account: 'alice', posted: '10000' }, { account: 'carol' }],
      unknown: ['nobody'],
    });
  });

  test('may be those of a time', async () => {
    const answer = await target.post('/v1/balances/query', { accounts: ['alice'], at: '2026-01-31T12:00:00Z' });
    expect(answer.json().data).toMatchObject([{ posted: '0', as_of: '2026-01-31T12:00:00.000Z' }]);
  });

  test('may be those of a thousand accounts', async () => {
    const accounts = Array.from({ length: 1_000 }, (_, i) => `user:${i}:${'x'.repeat(110)}`);
    expect((await target.post('/v1/balances/query', { accounts })).json().unknown).toEqual(accounts);
  });

  test.each([
    [{}, '/accounts'],
    [{ accounts: [] }, '/accounts'],
    [{ accounts: 'alice' }, '/accounts'],
    [{ accounts: ['alice', '$ne'] }, '/accounts/1'],
    [{ accounts: [{ $gt: '' }] }, '/accounts/0'],
    [{ accounts: Array(1_001).fill('alice') }, '/accounts'],
    [{ accounts: ['alice'], at: 'now' }, '/at'],
    [{ accounts: ['alice'], prefix: 'a' }, '/prefix'],
  ])('are refused for %j', async (body, pointer) => {
    target.payments.calls = 0;
    const answer = await target.post('/v1/balances/query', body);
    expect(answer.statusCode).toBe(400);
    expect(answer.json()).toMatchObject({ code: 'validation_failed', errors: [{ pointer }] });
    expect(target.payments.calls).toBe(0);
  });
});

describe('the sums of balances', () => {
  test('are answered by prefix, and tagged weakly', async () => {
    const answer = await target.get('/v1/balances/sum?prefix=a&group_by_level=2');
    expect(balanceSumsResource.safeParse(answer.json()).error).toBeUndefined();
    expect(answer.json()).toMatchObject({ prefix: 'a', data: [{ currency: 'EUR', accounts: 1, posted: '10000' }] });
    expect(answer.headers.etag).toMatch(/^W\//);
    expect(target.payments.lastLevel).toBe(2);
  });

  test('of too many accounts are refused, and the prefix is to blame', async () => {
    for (const id of ['w:1', 'w:2', 'w:3', 'w:4', 'w:5']) await target.post('/v1/accounts', { id, currency: 'EUR' });
    const answer = await target.get('/v1/balances/sum?prefix=w');
    expect(answer.statusCode).toBe(422);
    expect(answer.json()).toMatchObject({ code: 'too_many_accounts', errors: [{ parameter: 'prefix' }] });
  });

  test.each([
    ['', 'prefix'],
    ['prefix=', 'prefix'],
    ['prefix=^user', 'prefix'],
    ['prefix=a.*', 'prefix'],
    ['prefix[$gt]=a', 'prefix'],
    ['prefix=a&group_by_level=0', 'group_by_level'],
    ['prefix=a&group_by_level=9', 'group_by_level'],
    ['prefix=a&at=2026-01-31T12:00:00Z', 'at'],
  ])('are refused for ?%s', async (query, parameter) => {
    const answer = await target.get(`/v1/balances/sum?${query}`);
    expect(answer.statusCode).toBe(400);
    expect(answer.json().errors).toContainEqual(expect.objectContaining({ parameter }));
  });
});

test('accounts are listed by how their ids begin, in their order', async () => {
  for (const id of ['x.1:b', 'x.1:a', 'x11:c']) await target.post('/v1/accounts', { id, currency: 'EUR' });
  const answer = await target.get('/v1/accounts?prefix=x.1');
  expect(listOf(accountResource).safeParse(answer.json()).error).toBeUndefined();
  expect(answer.json().data.map(({ id }: { id: string }) => id)).toEqual(['x.1:a', 'x.1:b']);
  expect((await target.get('/v1/accounts?prefix=x*')).json()).toMatchObject({ errors: [{ parameter: 'prefix' }] });
});

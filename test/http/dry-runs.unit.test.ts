import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fund, type TestApp, testApp } from './support/app.ts';

let target: TestApp;
beforeEach(async () => {
  target = await testApp();
  await fund(target);
});
afterEach(() => target.app.close());

const PAYMENT = { source: 'alice', destination: 'bob', amount: 100, currency: 'EUR' };
const POSTINGS = [
  { account: 'alice', amount: -100, currency: 'EUR' },
  { account: 'bob', amount: 100, currency: 'EUR' },
];

describe('an answer says whether it is of a dry run', () => {
  test.each<[string, object, number]>([
    ['/v1/payments', PAYMENT, 200],
    ['/v1/payments', { ...PAYMENT, amount: 1_000_000 }, 422],
    ['/v1/payments/bulk', { payments: [{ ...PAYMENT, idempotency_key: 'one' }] }, 200],
    ['/v1/transactions', { postings: POSTINGS }, 200],
    ['/v1/accounts/nobody/freeze', {}, 404],
  ])('POST %s %j: %i', async (url, body, status) => {
    const dry = await target.post(`${url}?dry_run=true`, body);
    expect([dry.statusCode, dry.headers['dry-run'], dry.headers.location]).toEqual([status, 'true', undefined]);
    const real = await target.post(`${url}?dry_run=false`, body);
    expect(real.headers['dry-run']).toBeUndefined();
  });

  test.each<[string, object]>([
    ['/v1/accounts?dry_run=true', { id: 'dave', currency: 'EUR' }],
    ['/v1/payments?dry_run=maybe', PAYMENT],
  ])('not when it was refused as one: %s', async (url, body) => {
    const answer = await target.post(url, body);
    expect([answer.statusCode, answer.headers['dry-run']]).toEqual([400, undefined]);
  });
});

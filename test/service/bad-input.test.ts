import { request } from 'node:http';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Problem } from './support/api.ts';
import { countDocuments, listsCaughtUp, useService } from './support/service.ts';

const MIB = 1_048_576;
const service = useService();
let before: Record<string, number>;

beforeAll(async () => {
  await service.api.createAccounts('world:EUR', 'alice', 'bob', { id: 'tokyo', currency: 'JPY' });
  await service.api.pay('world:EUR', 'alice', 1_000);
  await listsCaughtUp(service.db);
});
beforeEach(async () => {
  before = await countDocuments(service.db);
});
afterEach(async () => {
  expect(await countDocuments(service.db)).toEqual(before);
});

const PAYMENT = { source: 'alice', destination: 'bob', amount: 1, currency: 'EUR' };
const legs = (...more: object[]) => ({
  postings: [
    { account: 'alice', amount: -1, currency: 'EUR' },
    { account: 'bob', amount: 1, currency: 'EUR' },
    ...more,
  ],
});
const text = (body: object, amount: string) => JSON.stringify(body).replace('"amount":1', `"amount":${amount}`);

type Row = [what: string, path: string, body: unknown, status: number, code: string, pointer: string];
const ROWS: Row[] = [
  ['no JSON', '/v1/payments', '{"source":', 400, 'invalid_json', ''],
  ['an empty body', '/v1/payments', '', 400, 'invalid_json', ''],
  ['a list', '/v1/payments', '[]', 400, 'validation_failed', ''],
  ['a text', '/v1/payments', '"x"', 400, 'validation_failed', ''],
  ['a key twice', '/v1/payments', '{"source":"alice","source":"bob"}', 400, 'invalid_json', ''],
  ['__proto__', '/v1/payments', '{"__proto__":{"source":"alice"}}', 400, 'invalid_json', ''],
  ['a missing field', '/v1/payments', { ...PAYMENT, currency: undefined }, 400, 'validation_failed', '/currency'],
  ['an unknown field', '/v1/payments', { ...PAYMENT, held: 1 }, 400, 'validation_failed', '/held'],
  ['a negative amount', '/v1/payments', text(PAYMENT, '-5'), 400, 'validation_failed', '/amount'],
  ['an amount of zero', '/v1/payments', text(PAYMENT, '0'), 400, 'validation_failed', '/amount'],
  ['a fraction', '/v1/payments', text(PAYMENT, '0.5'), 400, 'validation_failed', '/amount'],
  ['an exponent', '/v1/payments', text(PAYMENT, '1e3'), 400, 'validation_failed', '/amount'],
  ['a huge amount', '/v1/payments', text(PAYMENT, '1000000000000000'), 400, 'validation_failed', '/amount'],
  ['a huger amount', '/v1/payments', text(PAYMENT, '9'.repeat(400)), 400, 'validation_failed', '/amount'],
  ['an operator as amount', '/v1/payments', text(PAYMENT, '{"$gt":0}'), 400, 'validation_failed', '/amount'],
  [
    'an operator as account',
    '/v1/payments',
    { ...PAYMENT, source: { $ne: null } },
    400,
    'validation_failed',
    '/source',
  ],
  [
    'an operator in a text',
    '/v1/payments',
    { ...PAYMENT, reference: '$where' },
    400,
    'validation_failed',
    '/reference',
  ],
  ['an account of $', '/v1/payments', { ...PAYMENT, source: '$alice' }, 400, 'validation_failed', '/source'],
  ['an unknown currency', '/v1/payments', { ...PAYMENT, currency: 'EUX' }, 400, 'validation_failed', '/currency'],
  ['a NUL', '/v1/payments', { ...PAYMENT, reference: 'a\0b' }, 400, 'validation_failed', '/reference'],
  ['a lone surrogate', '/v1/payments', { ...PAYMENT, description: '\ud800' }, 400, 'validation_failed', '/description'],
  ['a dotted key', '/v1/payments', { ...PAYMENT, metadata: { 'a.b': '1' } }, 400, 'validation_failed', '/metadata/a.b'],
  ['one account twice', '/v1/payments', { ...PAYMENT, destination: 'alice' }, 400, 'validation_failed', '/destination'],
  ['an unknown source', '/v1/payments', { ...PAYMENT, source: 'nobody' }, 422, 'account_not_found', '/source'],
  [
    'an unknown destination',
    '/v1/payments',
    { ...PAYMENT, destination: 'x' },
    422,
    'account_not_found',
    '/destination',
  ],
  [
    'a payment to another currency',
    '/v1/payments',
    { ...PAYMENT, destination: 'tokyo' },
    422,
    'currency_mismatch',
    '/currency',
  ],
  ['the currency of neither', '/v1/payments', { ...PAYMENT, currency: 'USD' }, 422, 'currency_mismatch', '/currency'],
  ['one leg', '/v1/transactions', { postings: legs().postings.slice(0, 1) }, 400, 'validation_failed', '/postings'],
  [
    'legs out of balance',
    '/v1/transactions',
    legs({ account: 'world:EUR', amount: 1, currency: 'EUR' }),
    400,
    'validation_failed',
    '/postings',
  ],
  [
    'an account in two legs',
    '/v1/transactions',
    legs({ account: 'bob', amount: 1, currency: 'EUR' }, { account: 'x', amount: -1, currency: 'EUR' }),
    400,
    'validation_failed',
    '/postings/2/account',
  ],
  [
    'a leg of nobody',
    '/v1/transactions',
    legs({ account: 'x', amount: 1, currency: 'JPY' }, { account: 'tokyo', amount: -1, currency: 'JPY' }),
    422,
    'account_not_found',
    '/postings/2/account',
  ],
  [
    'a leg of another currency',
    '/v1/transactions',
    legs({ account: 'tokyo', amount: 1, currency: 'USD' }, { account: 'world:EUR', amount: -1, currency: 'USD' }),
    422,
    'currency_mismatch',
    '/postings/2/currency',
  ],
  ['an account id with a space', '/v1/accounts', { id: 'a b', currency: 'EUR' }, 400, 'validation_failed', '/id'],
  ['a reserved account', '/v1/accounts', { id: 'transit:1:EUR', currency: 'EUR' }, 400, 'validation_failed', '/id'],
  [
    'a world of another currency',
    '/v1/accounts',
    { id: 'world:EUR', currency: 'USD' },
    400,
    'validation_failed',
    '/currency',
  ],
  [
    'an account that is there, otherwise',
    '/v1/accounts',
    { id: 'alice', currency: 'USD' },
    409,
    'account_exists',
    '/id',
  ],
  [
    'limits the wrong way round',
    '/v1/accounts',
    { id: 'c', currency: 'EUR', min_balance: 2, max_balance: 1 },
    400,
    'validation_failed',
    '/max_balance',
  ],
  [
    'a limit beyond 64 bits',
    '/v1/accounts',
    { id: 'c', currency: 'EUR', max_balance: '9223372036854775808' },
    400,
    'validation_failed',
    '/max_balance',
  ],
];

describe('a body is refused, named and not acted upon: ', () => {
  it.each(ROWS)('%s', async (_, path, body, status, code, pointer) => {
    const answer = await service.api.post<Problem>(path, body);
    expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(answer.body).toMatchObject({ status, code, retryable: false });
    expect([answer.status, answer.body.errors?.map((error) => error.pointer)]).toEqual([
      status,
      expect.arrayContaining([pointer]),
    ]);
  });

  it('another content type', async () => {
    const headers = { 'content-type': 'text/plain', 'idempotency-key': 'k' };
    const answer = await service.api.send<Problem>('POST', '/v1/payments', { headers, body: JSON.stringify(PAYMENT) });
    expect(answer).toMatchObject({ status: 415, body: { code: 'unsupported_media_type' } });
  });

  it('bytes that are not UTF-8', async () => {
    const body = Buffer.from(JSON.stringify({ ...PAYMENT, reference: 'X' })).map((byte) => (byte === 88 ? 0xff : byte));
    const headers = { 'content-type': 'application/json', 'idempotency-key': 'k' };
    const answer = await service.api.send<Problem>('POST', '/v1/payments', { headers, body });
    expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_json' } });
  });
});

describe('a body of 10 MB', () => {
  const huge = JSON.stringify({ ...PAYMENT, description: 'x'.repeat(10 * MIB) });

  it('is answered 413 as a problem', async () => {
    const answer = await service.api.post<Problem>('/v1/payments', huge);
    expect(answer).toMatchObject({ status: 413, body: { code: 'body_too_large' } });
  });

  it('is answered 413 as well when its length is not said beforehand', async () => {
    const answer = await new Promise<{ status?: number | undefined; text: string }>((resolve, reject) => {
      const headers = {
        authorization: `Bearer ${service.api.key}`,
        'content-type': 'application/json',
        'idempotency-key': 'chunked',
      };
      const sent = request(`${service.api.address}/v1/payments`, { method: 'POST', headers }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('end', () => resolve({ status: response.statusCode, text }));
      });
      sent.on('error', reject);
      for (let at = 0; at < huge.length; at += MIB) sent.write(huge.slice(at, at + MIB));
      sent.end();
    });
    expect(answer.status).toBe(413);
    expect(JSON.parse(answer.text)).toMatchObject({ code: 'body_too_large' });
  });
});

describe('a key is refused: ', () => {
  it.each([
    ['none', {}, 'idempotency_key_missing'],
    ['an empty one', { 'idempotency-key': '' }, 'idempotency_key_missing'],
    ['one of 256 characters', { 'idempotency-key': 'k'.repeat(256) }, 'idempotency_key_invalid'],
    ['one that is not ASCII', { 'idempotency-key': 'clé' }, 'idempotency_key_invalid'],
  ])('%s', async (_, headers, code) => {
    const init = { headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(PAYMENT) };
    const answer = await service.api.send<Problem>('POST', '/v1/payments', init);
    expect(answer).toMatchObject({ status: 400, body: { code, errors: [{ header: 'Idempotency-Key' }] } });
  });
});

describe('a question is refused: ', () => {
  it.each([
    ['/v1/payments?limit=101', 400, 'limit'],
    ['/v1/payments?limit=0', 400, 'limit'],
    ['/v1/payments?status=%24ne', 400, 'status'],
    ['/v1/payments?created%5Bgte%5D=yesterday', 400, 'created[gte]'],
    ['/v1/payments?account[$ne]=alice', 400, 'account[$ne]'],
    ['/v1/payments?starting_after=pay_none', 400, 'starting_after'],
    ['/v1/payments?starting_after=a&ending_before=b', 400, 'ending_before'],
    ['/v1/transactions?ending_before=txn_none', 400, 'ending_before'],
    ['/v1/accounts?starting_after=nobody', 400, 'starting_after'],
    ['/v1/accounts/alice/entries?starting_after=x', 400, 'starting_after'],
    ['/v1/accounts/alice/entries?ending_before=0.1', 400, 'ending_before'],
    ['/v1/accounts/alice/balance?at=2026-13-01T00:00:00Z', 400, 'at'],
  ])('%s', async (path, status, parameter) => {
    const answer = await service.api.get<Problem>(path);
    expect(answer).toMatchObject({ status, body: { errors: [{ parameter }] } });
  });

  it.each([
    '/v1/accounts/nobody',
    '/v1/accounts/nobody/balance',
    '/v1/accounts/nobody/entries',
    '/v1/accounts/%24ne',
    '/v1/payments/pay_none',
    '/v1/payments/txn_none',
    '/v1/transactions/txn_none',
    '/v1/reconciliations/rec_none',
    '/v1/reconciliations/rec_none/items',
    '/v1/nothing',
  ])('%s is a 404', async (path) => {
    expect(await service.api.get<Problem>(path)).toMatchObject({ status: 404, body: { code: 'not_found' } });
  });
});

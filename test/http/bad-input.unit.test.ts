import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { fund, type TestApp, testApp } from './support/app.ts';

let target: TestApp;
beforeAll(async () => {
  target = await testApp();
  await fund(target);
});
afterAll(() => target.app.close());
beforeEach(() => {
  target.payments.calls = 0;
});

/** What is refused: the code, where the fault is, and that nothing was asked of the ledger. */
async function expectRefused(url: string, body: unknown, pointer: string, code = 'validation_failed', status = 400) {
  const answer = await target.post(url, body);
  const problem = answer.json();
  expect({ status: answer.statusCode, code: problem.code }).toEqual({ status, code });
  expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/);
  expect(problem.errors.map((error: { pointer: string }) => error.pointer)).toContain(pointer);
  expect(target.payments.calls).toBe(0);
}

const ACCOUNT = { id: 'dave', currency: 'EUR' };
const PAYMENT = { source: 'alice', destination: 'bob', amount: 100, currency: 'EUR' };
const LEG = { account: 'alice', amount: -100, currency: 'EUR' };
const OTHER_LEG = { account: 'bob', amount: 100, currency: 'EUR' };
const TRANSACTION = { postings: [LEG, OTHER_LEG] };

const ROUTES: [url: string, body: Record<string, unknown>][] = [
  ['/v1/accounts', ACCOUNT],
  ['/v1/payments', PAYMENT],
  ['/v1/transactions', TRANSACTION],
];

test.each(ROUTES)('the body that the tables below spoil is accepted by %s', async (url, body) => {
  const answer = await target.post(url, body);
  expect(answer.statusCode).toBe(201);
});

/** No amount of a payment. As JSON text, since some are not what a JavaScript value can be. */
const BAD_AMOUNTS = [
  '0',
  '-1',
  '-0',
  '1.5',
  '100.0',
  '1e2',
  '1e21',
  '100.00000000000000000001',
  '999999999999999.04',
  '1000000000000000',
  '9007199254740993',
  '99999999999999999999999999',
  'true',
  'false',
  'null',
  '[100]',
  '["a"]',
  '{}',
  '{"$gt":0}',
  '{"$numberLong":"100"}',
  '""',
  '" "',
  '"0"',
  '"-100"',
  '"+100"',
  '"0100"',
  '" 100"',
  '"100 "',
  '"1.00"',
  '"1e2"',
  '"0x64"',
  '"1,000"',
  '"NaN"',
  '"Infinity"',
  '"abc"',
  '"$gt"',
  '"1000000000000000"',
];

describe('an amount that is not a whole number of minor units in range is refused', () => {
  test.each(BAD_AMOUNTS)('payment of %s', async (amount) => {
    const body = `{"source":"alice","destination":"bob","amount":${amount},"currency":"EUR"}`;
    await expectRefused('/v1/payments', body, '/amount');
  });
  test.each(BAD_AMOUNTS.filter((amount) => !['-1', '"-100"'].includes(amount)))('leg of %s', async (amount) => {
    const body = `{"postings":[{"account":"alice","amount":-5,"currency":"EUR"},{"account":"bob","amount":${amount},"currency":"EUR"}]}`;
    await expectRefused('/v1/transactions', body, '/postings/1/amount');
  });
  test.each(['1.5', '1e3', 'true', '[]', '"abc"', '{"$lt":1}', '9007199254740993', '"1000000000000000000"', '-0'])(
    'limits of %s',
    async (limit) => {
      await expectRefused('/v1/accounts', `{"id":"dave","currency":"EUR","min_balance":${limit}}`, '/min_balance');
      await expectRefused('/v1/accounts', `{"id":"dave","currency":"EUR","max_balance":${limit}}`, '/max_balance');
    },
  );
  test('the amount is missing', async () => {
    await expectRefused('/v1/payments', { ...PAYMENT, amount: undefined }, '/amount');
  });
});

describe('NaN and Infinity are no JSON', () => {
  test.each(['NaN', 'Infinity', '-Infinity', '0x10', '+1', '01', '1.', '.5', "'1'"])('%s', async (amount) => {
    const body = `{"source":"alice","destination":"bob","amount":${amount},"currency":"EUR"}`;
    await expectRefused('/v1/payments', body, '', 'invalid_json');
  });
});

const BAD_IDS: unknown[] = [
  '',
  ' ',
  '$where',
  '$gt',
  ':a',
  '-a',
  '.a',
  'a b',
  'a/b',
  'a$b',
  'a\0b',
  'a\nb',
  'ünicode',
  '\ud800',
  'a'.repeat(129),
  1,
  true,
  null,
  ['alice'],
  { $ne: '' },
];

describe('an account id of the wrong form is refused', () => {
  test.each(BAD_IDS)('%j', async (id) => {
    await expectRefused('/v1/accounts', { ...ACCOUNT, id }, '/id');
    await expectRefused('/v1/payments', { ...PAYMENT, source: id }, '/source');
    await expectRefused('/v1/payments', { ...PAYMENT, destination: id }, '/destination');
    await expectRefused('/v1/transactions', { postings: [{ ...LEG, account: id }, OTHER_LEG] }, '/postings/0/account');
  });
  test.each(['transit:1:EUR', 'suspense:EUR'])('%s is kept by the ledger itself', async (id) => {
    await expectRefused('/v1/accounts', { ...ACCOUNT, id }, '/id');
  });
});

describe('an unknown currency is refused', () => {
  test.each(['eur', 'EURO', 'XXX', 'XAU', 'BTC', '', '978', ' EUR', 'EUR\0', '$EUR', 978, true, null, ['EUR'], {}])(
    '%j',
    async (currency) => {
      await expectRefused('/v1/accounts', { ...ACCOUNT, currency }, '/currency');
      await expectRefused('/v1/payments', { ...PAYMENT, currency }, '/currency');
      await expectRefused('/v1/transactions', { postings: [{ ...LEG, currency }, OTHER_LEG] }, '/postings/0/currency');
    },
  );
});

describe.each(ROUTES)('%s refuses', (url, body) => {
  test.each<[string, unknown, string]>([
    ['an unknown field', { ...body, amout: 1 }, '/amout'],
    ['a query operator as a field', { ...body, $where: 'sleep(1)' }, '/$where'],
    ['a field with a slash and a tilde, escaped in the pointer', { ...body, 'a/b~c': 1 }, '/a~1b~0c'],
    ['metadata that is text', { ...body, metadata: 'a' }, '/metadata'],
    ['metadata that is a list', { ...body, metadata: ['a'] }, '/metadata'],
    ['metadata with a number', { ...body, metadata: { a: 1 } }, '/metadata/a'],
    ['metadata with an object', { ...body, metadata: { a: { $gt: '' } } }, '/metadata/a'],
    ['a metadata key with $', { ...body, metadata: { $set: 'x' } }, '/metadata/$set'],
    ['a metadata key with a dot', { ...body, metadata: { 'a.b': 'x' } }, '/metadata/a.b'],
    ['a metadata key with NUL', { ...body, metadata: { 'a\0b': 'x' } }, '/metadata/a\0b'],
    ['an empty metadata key', { ...body, metadata: { '': 'x' } }, '/metadata/'],
    ['a long metadata key', { ...body, metadata: { [`a${'b'.repeat(40)}`]: 'x' } }, `/metadata/a${'b'.repeat(40)}`],
    ['a long metadata value', { ...body, metadata: { a: 'x'.repeat(501) } }, '/metadata/a'],
    ['a metadata value with NUL', { ...body, metadata: { a: 'x\0' } }, '/metadata/a'],
    ['a metadata value with half a surrogate pair', { ...body, metadata: { a: '\udfff' } }, '/metadata/a'],
    ['a metadata value that is an operator', { ...body, metadata: { a: '$ne' } }, '/metadata/a'],
    ['51 metadata keys', { ...body, metadata: manyKeys(51) }, '/metadata'],
    ['a list as the body', [body], ''],
    ['text as the body', '"text"', ''],
    ['a number as the body', '1', ''],
    ['null as the body', 'null', ''],
  ])('%s', async (_what, spoilt, pointer) => {
    await expectRefused(url, spoilt, pointer);
  });

  test.each<[string, string | Buffer]>([
    ['an empty body', ''],
    ['broken JSON', '{"id":'],
    ['two values', '{}{}'],
    ['a comment', '{/*x*/}'],
    ['a key twice', '{"id":"a","id":"b"}'],
    ['a key twice, once escaped', '{"id":"a","\\u0069d":"b"}'],
    ['a key twice, deep inside', '{"metadata":{"a":"1","a":"2"}}'],
    ['__proto__', '{"__proto__":{"amount":1}}'],
    ['__proto__, escaped', '{"__proto\\u005f_":{"amount":1}}'],
    ['constructor.prototype', '{"constructor":{"prototype":{"amount":1}}}'],
    ['bytes that are not UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])],
  ])('%s as no JSON', async (_what, text) => {
    await expectRefused(url, text, '', 'invalid_json');
  });

  test('a body of 10 MB', async () => {
    await expectRefused(url, `{"id":"${'a'.repeat(10_000_000)}"}`, '', 'body_too_large', 413);
  });

  test('half a million nested lists', async () => {
    await expectRefused(url, '['.repeat(500_000) + ']'.repeat(500_000), '', 'invalid_json');
  });

  test('33 levels, and not 32', async () => {
    await expectRefused(url, '['.repeat(33) + ']'.repeat(33), '', 'invalid_json');
    await expectRefused(url, `${'{"a":'.repeat(33)}1${'}'.repeat(33)}`, '', 'invalid_json');
    await expectRefused(url, '['.repeat(32) + ']'.repeat(32), '');
    await expectRefused(url, JSON.stringify({ unknown: '['.repeat(100) }), '/unknown');
  });

  test.each(['text/plain', 'application/x-www-form-urlencoded', 'application/xml', 'multipart/form-data; boundary=x'])(
    'the content type %s',
    async (type) => {
      const headers = { 'content-type': type, 'idempotency-key': 'k' };
      const answer = await target.inject({ method: 'POST', url, headers, payload: JSON.stringify(body) });
      expect({ status: answer.statusCode, code: answer.json().code }).toEqual({
        status: 415,
        code: 'unsupported_media_type',
      });
      expect(target.payments.calls).toBe(0);
    },
  );

  test('no body at all', async () => {
    const answer = await target.inject({ method: 'POST', url, headers: { 'idempotency-key': 'k' } });
    expect(answer.statusCode).toBe(400);
    expect(answer.json().errors).toMatchObject([{ pointer: '' }]);
    expect(target.payments.calls).toBe(0);
  });

  test('a query parameter', async () => {
    const answer = await target.post(`${url}?dry=1`, body);
    expect(answer.statusCode).toBe(400);
    expect(answer.json().errors).toMatchObject([{ parameter: 'dry' }]);
    expect(target.payments.calls).toBe(0);
  });
});

describe.each(['/v1/payments', '/v1/transactions'])('%s refuses', (url) => {
  const body = url === '/v1/payments' ? PAYMENT : TRANSACTION;
  test.each<[string, unknown]>([
    ['empty', ''],
    ['a number', 42],
    ['null', null],
    ['a list', ['a']],
    ['an operator', '$where'],
    ['an operator in an object', { $regex: '.*' }],
    ['NUL', 'a\0b'],
    ['half a surrogate pair', 'a\ud83d'],
    ['too long', 'x'.repeat(501)],
  ])('a reference or description that is %s', async (_what, value) => {
    await expectRefused(url, { ...body, reference: value }, '/reference');
    await expectRefused(url, { ...body, description: value }, '/description');
  });
});

test('money with a dollar sign is no operator', async () => {
  const answer = await target.post('/v1/payments', { ...PAYMENT, amount: 1, description: 'Paid $5 – 🙂 and "$"' });
  expect(answer.statusCode).toBe(201);
  expect(answer.json().description).toBe('Paid $5 – 🙂 and "$"');
});

test('a number in a text is left alone', async () => {
  const answer = await target.post('/v1/payments', { ...PAYMENT, amount: 1, reference: '1.5e3: "x": 2.0' });
  expect(answer.statusCode).toBe(201);
  expect(answer.json().reference).toBe('1.5e3: "x": 2.0');
});

test('source and destination must differ', async () => {
  await expectRefused('/v1/payments', { ...PAYMENT, destination: 'alice' }, '/destination');
});

describe('postings that cannot stand are refused', () => {
  test.each<[string, unknown, string]>([
    ['none', [], '/postings'],
    ['one', [LEG], '/postings'],
    ['an object', { 0: LEG, 1: OTHER_LEG }, '/postings'],
    ['text', 'x', '/postings'],
    ['missing', undefined, '/postings'],
    ['101', Array.from({ length: 101 }, (_, n) => ({ account: `a${n}`, amount: 1, currency: 'EUR' })), '/postings'],
    ['the same account twice', [LEG, { ...OTHER_LEG, account: 'alice' }], '/postings/1/account'],
    ['a sum that is not zero', [LEG, { ...OTHER_LEG, amount: 101 }], '/postings'],
    ['a sum that is zero only across currencies', [LEG, { ...OTHER_LEG, currency: 'USD' }], '/postings'],
    ['a posting with an unknown field', [LEG, { ...OTHER_LEG, posted: 1 }], '/postings/1/posted'],
    ['a posting that is null', [LEG, null], '/postings/1'],
  ])('%s', async (_what, postings, pointer) => {
    await expectRefused('/v1/transactions', { postings }, pointer);
  });
});

describe('an account that contradicts itself is refused', () => {
  test.each<[string, unknown, string]>([
    ['world:EUR in USD', { id: 'world:EUR', currency: 'USD' }, '/currency'],
    ['world: without a currency', { id: 'world:', currency: 'EUR' }, '/currency'],
    ['world:eur', { id: 'world:eur', currency: 'EUR' }, '/currency'],
    ['world:GBP with a lower limit', { id: 'world:GBP', currency: 'GBP', min_balance: 0 }, '/min_balance'],
    ['limits that cross', { ...ACCOUNT, min_balance: 2, max_balance: '1' }, '/max_balance'],
  ])('%s', async (_what, body, pointer) => {
    await expectRefused('/v1/accounts', body, pointer);
  });
});

test('an answer does not grow with the unknown fields of a request', async () => {
  const fields = Array.from({ length: 2_000 }, (_, n) => [`${'x'.repeat(300)}${n}`, 1]);
  const answer = await target.post('/v1/payments', { ...PAYMENT, ...Object.fromEntries(fields) });
  expect(answer.statusCode).toBe(400);
  expect(answer.json().errors).toHaveLength(20);
  expect(answer.body.length).toBeLessThan(10_000);
});

function manyKeys(count: number): Record<string, string> {
  return Object.fromEntries(Array.from({ length: count }, (_, n) => [`k${n}`, 'v']));
}

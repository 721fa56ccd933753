import { Writable } from 'node:stream';
import { MongoBulkWriteError } from 'mongodb';
import pino from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { LedgerError } from '../../src/ledger/errors.ts';
import { logOptions } from '../../src/log.ts';
import { fund, type TestApp, testApp } from './support/app.ts';

/** Each is nowhere but in what is private of a request. */
const PRIVATE = {
  source: 'secret-source:1',
  destination: 'secret-destination:2',
  amount: 7_654_321,
  reference: 'SECRET-REFERENCE-3',
  description: 'secret description 4',
  metadata: { secretkey5: 'secret-value-6' },
};
const PAYMENT = { ...PRIVATE, currency: 'EUR' };
const KEY = 'secret-idempotency-7';
const ANY = /secret|7654321/i;

let target: TestApp;
beforeEach(async () => {
  target = await testApp({ slowRequestMs: -1 });
  await fund(target);
  target.logged.length = 0;
});
afterEach(() => target.app.close());

const log = () => JSON.stringify(target.logged);

function expectNothingPrivate(): void {
  expect(target.logged.length).toBeGreaterThan(0);
  expect(log()).not.toMatch(ANY);
  expect(log()).not.toContain(target.key);
  expect(log()).not.toMatch(/Bearer (?!\(hidden\))/);
}

describe('the log of requests, at every level', () => {
  test('has nothing private of those that succeed', async () => {
    for (const id of [PRIVATE.source, PRIVATE.destination]) {
      await target.post('/v1/accounts', { id, currency: 'EUR', min_balance: null, metadata: PRIVATE.metadata });
    }
    expect((await target.post('/v1/payments', PAYMENT, KEY)).statusCode).toBe(201);
    expect((await target.post('/v1/payments', PAYMENT, KEY)).statusCode).toBe(201);
    expect((await target.get(`/v1/accounts/${PRIVATE.source}/balance`)).statusCode).toBe(200);
    expect((await target.get(`/v1/payments?reference=${PRIVATE.reference}`)).statusCode).toBe(200);
    expectNothingPrivate();
  });

  test('has nothing private of those that are refused', async () => {
    const statuses = [
      await target.post('/v1/payments', PAYMENT, KEY),
      await target.post('/v1/payments', { ...PAYMENT, amount: '7654321.5' }, KEY),
      await target.post('/v1/payments', `{"source": "${PRIVATE.source}", `, KEY),
      await target.post('/v1/payments?secret=1', PAYMENT, KEY),
      await target.get(`/v1/accounts/${PRIVATE.source}`),
      await target.get(`/v1/accounts/${PRIVATE.source}/%zz`),
      await target.inject({ url: '/v1/accounts', headers: { authorization: `Bearer ${target.key}x` } }),
      await target.inject({ url: '/v1/accounts', headers: { authorization: 'Basic secret' } }),
    ].map(({ statusCode }) => statusCode);
    expect(statuses).toEqual([422, 400, 400, 400, 404, 400, 401, 401]);
    expectNothingPrivate();
  });

  test.each<[string, () => Error]>([
    ['quotes the request', () => new TypeError(`${PRIVATE.source} has ${PRIVATE.amount} for ${PRIVATE.reference}`)],
    ['quotes it in its cause', () => new Error('x', { cause: new SyntaxError(`no number: ${PRIVATE.amount}`) })],
    ['carries it along', () => Object.assign(new Error('x'), { request: PAYMENT, op: { _id: PRIVATE.source } })],
    ['is of MongoDB, with the document', () => bulkWriteError()],
    ['names what is in the index', () => new Error('E11000 index: key dup key: { bucket: 1, keys: "secret/8" }')],
    ['has the password of the database', () => new Error('connect mongodb://secret:secret@db:27017')],
    ['is of the ledger', () => new LedgerError('outcome_unknown', 'account secret-9', { account: 'secret-9' })],
  ])('has nothing private of an error that %s', async (_what, error) => {
    target.payments.failure = error();
    const answer = await target.post('/v1/payments', PAYMENT, KEY);
    expect([500, 503]).toContain(answer.statusCode);
    expectNothingPrivate();
  });

  test('still says what went wrong, and where', async () => {
    target.payments.failure = Object.assign(new RangeError(`the index of ${PRIVATE.source} is out of range`), {
      code: 'ERR_X',
    });
    await target.post('/v1/payments', PAYMENT, KEY);
    expect(target.logged[0]).toMatchObject({
      err: {
        type: 'RangeError',
        code: 'ERR_X',
        message: 'the index of (hidden) is out of range',
        stack: expect.stringContaining('log.unit.test.ts'),
      },
    });
  });
});

function bulkWriteError(): Error {
  const op = { insertOne: { document: PAYMENT } };
  return new MongoBulkWriteError({ message: 'E11000 dup key: { keys: "secret" }', code: 11000, writeErrors: [] }, {
    op,
  } as never);
}

describe('a line of the log', () => {
  function line(fields: object): Record<string, unknown> {
    const lines: string[] = [];
    const write = (chunk: Buffer, _encoding: string, done: () => void) => {
      lines.push(String(chunk));
      done();
    };
    pino(logOptions('trace'), new Writable({ write })).trace(fields, 'said');
    return JSON.parse(lines.join(''));
  }

  test.each(['account', 'amount', 'reference', 'metadata', 'body', 'authorization', 'key', 'idempotency-key', 'legs'])(
    'hides a field %s wherever it stands',
    (name) => {
      for (const fields of [{ [name]: 'secret' }, { a: { [name]: 'secret' } }, { a: { b: { [name]: 'secret' } } }]) {
        expect(JSON.stringify(line(fields))).not.toContain('secret');
      }
    },
  );

  test('keeps what is not private', () => {
    const error = new Error("the primary can't be found, so it isn't there", { cause: new Error('x') });
    expect(line({ book: 1, height: 7, url: 'http://x', err: error })).toMatchObject({
      service: 'kvitt',
      msg: 'said',
      book: 1,
      height: 7,
      err: { message: "the primary can't be found, so it isn't there", cause: { message: 'x' } },
    });
  });

  test.each([
    ['Cannot convert secret 1 to a BigInt', 'Cannot convert (hidden) to a BigInt'],
    ['there is no account secret', 'there is no account (hidden)'],
    ['accounts cannot be read', 'accounts cannot be read'],
    [jsonFault(), 'no JSON (hidden)'],
  ])('of an error that says %j says %j', (message, said) => {
    expect(line({ err: new Error(message) })).toMatchObject({ err: { message: said } });
  });
});

function jsonFault(): string {
  try {
    JSON.parse('{"secret": secret}');
    return '';
  } catch (error) {
    return (error as Error).message;
  }
}

import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { PROBLEMS, type ProblemCode } from '../../src/http/problem.ts';
import { isTransient, LEDGER_ERROR_CODES, LedgerError, type LedgerErrorCode } from '../../src/ledger/errors.ts';
import { REJECTION_REASONS } from '../../src/ledger/types.ts';
import { problemResource } from '../../src/resources/schemas.ts';
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
    { account: 'bob', amount: 100, currency: 'EUR' },
    { account: 'alice', amount: -100, currency: 'EUR' },
  ],
};

describe('the documented codes', () => {
  const text = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8');
  const rows = [...text.matchAll(/^\| `([a-z_]+)` +\| (\d+) +\| (yes|no) +\| (\S.+) \|$/gm)].map((row) => ({
    code: row[1],
    status: Number(row[2]),
    retryable: row[3] === 'yes',
    advice: row[4],
  }));

  test('are those of the code, each once, with its status and whether to retry', () => {
    const documented = rows.map(({ code, status, retryable }) => ({ code, status, retryable }));
    const defined = Object.entries(PROBLEMS).map(([code, { status, retryable }]) => ({ code, status, retryable }));
    const byCode = (a: { code?: string }, b: { code?: string }) => String(a.code).localeCompare(String(b.code));
    expect(documented.sort(byCode)).toEqual(defined.sort(byCode));
  });

  test('each say what to do', () => {
    for (const { advice } of rows) expect(advice?.length).toBeGreaterThan(20);
  });

  test('cover the reasons of the ledger to reject', () => {
    for (const reason of REJECTION_REASONS) expect(PROBLEMS[reason].status).toBe(422);
  });
});

describe('an error of the ledger', () => {
  const EXPECTED: Record<LedgerErrorCode, { status: number; place?: object }> = {
    invalid_command: { status: 422, place: { pointer: '' } },
    account_not_found: { status: 422, place: { pointer: '/source' } },
    currency_mismatch: { status: 422, place: { pointer: '/currency' } },
    idempotency_key_reused: { status: 422, place: { header: 'Idempotency-Key' } },
    overloaded: { status: 503 },
    unavailable: { status: 503 },
    outcome_unknown: { status: 503 },
    idempotency_key_in_progress: { status: 409, place: { header: 'Idempotency-Key' } },
  };

  const BLAMED: Partial<Record<LedgerErrorCode, string>> = {
    account_not_found: 'alice',
    currency_mismatch: 'alice',
  };

  test.each(LEDGER_ERROR_CODES)('%s has its status, place and retry', async (code) => {
    const account = BLAMED[code];
    target.payments.failure = new LedgerError(code, 'what went wrong', account === undefined ? {} : { account });
    const answer = await target.post('/v1/payments', PAYMENT);
    const { status, place } = EXPECTED[code];
    expect(answer.statusCode).toBe(status);
    expect(answer.json()).toMatchObject({ code, status, retryable: isTransient(code) });
    expect(answer.json().errors).toEqual(place === undefined ? undefined : [expect.objectContaining(place)]);
    expect(answer.headers['retry-after']).toBe(isTransient(code) ? '1' : undefined);
  });

  test('an unknown outcome is called unknown, and the same key is what settles it', async () => {
    target.payments.failure = new LedgerError('outcome_unknown', 'append interrupted');
    const { detail, retryable } = (await target.post('/v1/payments', PAYMENT)).json();
    expect(detail).toMatch(/outcome is unknown.*same Idempotency-Key/);
    expect(retryable).toBe(true);
  });

  test.each<[string, string, object, string, string]>([
    ['the source', '/v1/payments', { ...PAYMENT, source: 'nobody' }, 'account_not_found', '/source'],
    ['the destination', '/v1/payments', { ...PAYMENT, destination: 'nobody' }, 'account_not_found', '/destination'],
    ['the currency', '/v1/payments', { ...PAYMENT, destination: 'carol' }, 'currency_mismatch', '/currency'],
    ['a posting', '/v1/transactions', withLeg({ account: 'nobody' }), 'account_not_found', '/postings/1/account'],
    ['its currency', '/v1/transactions', withLeg({ account: 'carol' }), 'currency_mismatch', '/postings/1/currency'],
  ])('points to %s', async (_what, url, body, code, pointer) => {
    const answer = await target.post(url, body);
    expect(answer.statusCode).toBe(422);
    expect(answer.json()).toMatchObject({ code, errors: [{ pointer }] });
  });

  test.each([
    [{ leg: 1 }, '/postings/1/account'],
    [{ account: 'alice' }, '/postings/1/account'],
    [{ account: 'someone else' }, '/postings'],
  ])('points to the posting from %j', async (where, pointer) => {
    target.payments.failure = new LedgerError('account_not_found', 'No such account.', where);
    const answer = await target.post('/v1/transactions', TRANSACTION);
    expect(answer.json().errors).toMatchObject([{ pointer }]);
  });
});

function withLeg(change: object) {
  return { postings: [TRANSACTION.postings[0], { ...TRANSACTION.postings[1], ...change }] };
}

describe('something unexpected', () => {
  test('is a 500 that says nothing internal, and is logged with the id of the request', async () => {
    target.payments.failure = new Error('connect ECONNREFUSED mongodb://user:secret@10.0.0.1');
    const answer = await target.post('/v1/payments', PAYMENT);
    expect(answer.statusCode).toBe(500);
    expect(answer.json()).toMatchObject({ code: 'internal_error', retryable: true });
    expect(answer.body).not.toMatch(/secret|mongodb|ECONN|at /);
    const line = target.logged.find(({ request_id }) => request_id === answer.json().request_id);
    expect(line).toMatchObject({ err: { message: expect.stringContaining('ECONNREFUSED') }, route: '/v1/payments' });
  });

  test.each<[string, unknown]>([
    ['nothing', null],
    ['text', 'x'],
    ['an error with a status of 503', Object.assign(new Error('x'), { statusCode: 503 })],
  ])('is a 500 as well when %s is thrown', async (_what, thrown) => {
    target.payments.failure = thrown as Error;
    if (thrown === null) target.payments.getAccount = () => Promise.reject(null);
    const answer = await target.get('/v1/accounts/alice');
    expect(answer.json().code).toBe('internal_error');
  });
});

describe('the shape of a problem', () => {
  test.each<[string, () => ReturnType<TestApp['get']>, ProblemCode]>([
    ['a bad field', () => target.post('/v1/payments', {}), 'validation_failed'],
    ['broken JSON', () => target.post('/v1/payments', '{'), 'invalid_json'],
    ['no such path', () => target.get('/v2/payments?key=secret'), 'not_found'],
    ['no such account', () => target.get('/v1/accounts/nobody'), 'not_found'],
    ['an id that cannot be', () => target.get('/v1/payments/%24ne'), 'not_found'],
    ['an id that is too long', () => target.get(`/v1/accounts/${'a'.repeat(1000)}`), 'not_found'],
    ['a wrong method', () => target.inject({ method: 'DELETE', url: '/v1/accounts/alice' }), 'method_not_allowed'],
    ['a URL that cannot be decoded', () => target.get('/v1/accounts/%zz'), 'invalid_request'],
    ['not ready', notReady, 'not_ready'],
  ])('%s', async (_what, ask, code) => {
    const answer = await ask();
    const problem = answer.json();
    expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/);
    expect(problemResource.safeParse(problem).error).toBeUndefined();
    expect(problem).toMatchObject({
      type: `urn:kvitt:problem:${code}`,
      title: PROBLEMS[code].title,
      status: answer.statusCode,
      code,
      request_id: answer.headers['x-request-id'],
      retryable: PROBLEMS[code].retryable,
    });
    expect(answer.statusCode).toBe(PROBLEMS[code].status);
    expect(problem.instance).toMatch(/^\/[^?]*$/);
    expect(problem.request_id).toMatch(/^req_[0-9a-f-]{36}$/);
  });

  function notReady() {
    target.readiness.answer = { ready: false, checks: { mongodb: 'no primary' } };
    return target.get('/readyz');
  }

  test('a wrong method is told the right ones', async () => {
    const answer = await target.inject({ method: 'PUT', url: '/v1/payments?x=1' });
    expect(answer.headers.allow).toBe('GET, HEAD, POST');
  });

  test('so is a method that is known to bring a body, whatever its body', async () => {
    for (const headers of [{}, { 'content-type': 'application/json' }]) {
      const answer = await target.inject({ method: 'QUERY' as 'GET', url: '/v1/accounts', headers });
      expect([answer.statusCode, answer.json().code]).toEqual([405, 'method_not_allowed']);
      const nowhere = await target.inject({ method: 'QUERY' as 'GET', url: '/nothing', headers });
      expect(nowhere.statusCode).toBe(404);
    }
  });

  test('the checks say what is not ready', async () => {
    expect((await notReady()).json().checks).toEqual({ mongodb: 'no primary' });
  });

  test('the id of a request is ours, whatever the client sends', async () => {
    const answer = await target.inject({ url: '/livez', headers: { 'x-request-id': 'mine', 'request-id': 'mine' } });
    expect(answer.headers['x-request-id']).toMatch(/^req_/);
  });
});

test('too many requests of a key are a 429, and other keys go on', async () => {
  const limited = await testApp({ rateLimitPerMinute: 2 });
  const statuses: number[] = [];
  for (let n = 0; n < 3; n++) statuses.push((await limited.get('/v1/accounts')).statusCode);
  const refused = await limited.get('/v1/accounts');
  const authorization = `Bearer ${limited.keys.add()}`;
  const other = await limited.inject({ url: '/v1/accounts', headers: { authorization } });
  await limited.app.close();
  expect(statuses).toEqual([200, 200, 429]);
  expect(refused.json()).toMatchObject({ code: 'rate_limited', retryable: true });
  expect(Number(refused.headers['retry-after'])).toBeGreaterThan(1);
  expect(other.statusCode).toBe(200);
});

test('when the event loop lags, all but health is a 503 that says to come back', async () => {
  // Less than any lag there can be: shown after the first sample, which takes a second.
  const busy = await testApp({ eventLoopDelayMsMax: Number.MIN_VALUE });
  const shed = async () => (await busy.get('/v1/accounts')).statusCode === 503;
  await expect.poll(shed, { timeout: 20_000 }).toBe(true);
  const refused = await busy.get('/v1/accounts');
  expect(refused.json()).toMatchObject({ code: 'overloaded', retryable: true });
  expect(refused.headers['retry-after']).toBe('1');
  expect((await busy.get('/livez')).statusCode).toBe(200);
  expect((await busy.get('/readyz')).statusCode).toBe(200);
  await busy.app.close();
});

describe('over a socket', () => {
  /** Sends bytes and gives what comes back until the server closes. */
  async function send(bytes: string): Promise<string> {
    await target.app.listen({ host: '127.0.0.1', port: 0 });
    const { port } = target.app.server.address() as { port: number };
    return new Promise((resolve, reject) => {
      let received = '';
      const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
      socket.setEncoding('utf8');
      socket.on('data', (text) => {
        received += text;
      });
      socket.on('end', () => resolve(received));
      socket.on('error', reject);
    });
  }

  test.each<[string, string, ProblemCode]>([
    ['what is no HTTP', 'hello\r\n\r\n', 'invalid_request'],
    ['too large headers', `GET / HTTP/1.1\r\nhost: x\r\nx: ${'a'.repeat(100_000)}\r\n\r\n`, 'headers_too_large'],
  ])('%s is a problem too', async (_what, bytes, code) => {
    const [head, body] = (await send(bytes)).split('\r\n\r\n') as [string, string];
    expect(head).toMatch(new RegExp(`^HTTP/1.1 ${PROBLEMS[code].status} `));
    expect(head).toContain('content-type: application/problem+json');
    expect(JSON.parse(body)).toMatchObject({ code, status: PROBLEMS[code].status });
  });

  test.each(['with its length given', 'in chunks'])('the sender of 10 MB, %s, gets its 413', async (how) => {
    await target.app.listen({ host: '127.0.0.1', port: 0 });
    const { port } = target.app.server.address() as { port: number };
    const bytes = Buffer.alloc(10_000_000, 97);
    const answer = await fetch(`http://127.0.0.1:${port}/v1/payments`, {
      method: 'POST',
      headers: { authorization: `Bearer ${target.key}`, 'content-type': 'application/json', 'idempotency-key': 'k' },
      body: how === 'in chunks' ? new Blob([bytes]).stream() : bytes,
      duplex: 'half',
    } as RequestInit);
    expect(answer.status).toBe(413);
    expect(await answer.json()).toMatchObject({ code: 'body_too_large' });
    expect(target.payments.calls).toBe(0);
  });

  test('the connection of a refused body is kept, so that a sender that only then reads finds its answer', async () => {
    await target.app.listen({ host: '127.0.0.1', port: 0 });
    const { port } = target.app.server.address() as { port: number };
    const size = 5_000_000;
    const socket = connect(port, '127.0.0.1');
    socket.setEncoding('utf8');
    let received = '';
    socket.on('data', (text) => {
      received += text;
    });
    const headers = ['host: x', `authorization: Bearer ${target.key}`, 'content-type: application/json'];
    socket.write(`POST /v1/payments HTTP/1.1\r\n${headers.join('\r\n')}\r\ncontent-length: ${size}\r\n\r\n`);
    await expect.poll(() => received).toContain('HTTP/1.1 413 ');
    socket.write('a'.repeat(size));
    socket.write('GET /livez HTTP/1.1\r\nhost: x\r\n\r\n');
    await expect.poll(() => received).toContain('HTTP/1.1 200 ');
    socket.destroy();
  });
});

describe('what is observed', () => {
  test('each request is measured under its route, ids left out', async () => {
    target.measured.length = 0;
    await target.get('/v1/accounts/alice');
    await target.get('/nothing/here');
    await target.get('/v1/accounts/%zz');
    expect(target.measured.slice(0, 2)).toEqual([
      { method: 'GET', route: '/v1/accounts/:id', status: 200 },
      { method: 'GET', route: 'unknown', status: 404 },
    ]);
  });

  test('quick and successful requests are not logged', async () => {
    target.logged.length = 0;
    await target.get('/v1/accounts/alice');
    await target.get('/v1/accounts/nobody');
    expect(target.logged).toEqual([]);
  });

  test('slow ones are', async () => {
    const slow = await testApp({ slowRequestMs: -1 });
    await slow.get('/livez');
    await slow.app.close();
    expect(slow.logged.at(-1)).toMatchObject({ route: '/livez', status: 200, duration_ms: expect.any(Number) });
  });
});

import { connect } from 'node:net';
import { Pool } from 'undici';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fund, type TestApp, testApp } from './support/app.ts';

const PAYMENT = { source: 'alice', destination: 'bob', amount: 1, currency: 'EUR' };
const MAX = 2;

describe('when as many requests are under way as may be', () => {
  let target: TestApp;
  /** Lets what waits for the look-up of its key go on. */
  let goOn: () => void;

  beforeEach(async () => {
    target = await testApp({ requestsMax: MAX });
    await fund(target);
    const blocked = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    const find = target.keys.find.bind(target.keys);
    target.keys.find = async (hash) => {
      await blocked;
      return find(hash);
    };
  });
  afterEach(async () => {
    goOn();
    await target.app.close();
  });

  /** As many requests as may be, with a key that was never seen, held up by its look-up. */
  async function heldUp(method: 'GET' | 'POST', url: string) {
    const authorization = `Bearer ${target.keys.add()}`;
    const payload = method === 'POST' ? { payload: JSON.stringify(PAYMENT) } : {};
    const answers = Array.from({ length: MAX }, async (_, n) => {
      const headers = { authorization, 'content-type': 'application/json', 'idempotency-key': `held-${n}` };
      return await target.app.inject({ method, url, headers, ...payload });
    });
    await expect.poll(async () => (await target.app.inject({ method, url })).statusCode).toBe(503);
    target.logged.length = 0;
    target.measured.length = 0;
    return answers;
  }

  test('another one is a 503 at once that says when to come back, whatever it holds and whoever sends it', async () => {
    const held = await heldUp('POST', '/v1/payments');
    const lookups = target.keys.lookups;
    for (const refused of [
      await target.post('/v1/payments', PAYMENT),
      await target.post('/v1/payments', '{"not": "even'),
      await target.app.inject({ method: 'POST', url: '/v1/accounts' }),
    ]) {
      expect(refused.statusCode).toBe(503);
      expect(refused.headers['content-type']).toMatch(/^application.problem.json/);
      expect(refused.headers['retry-after']).toBe('1');
      expect(refused.headers['x-request-id']).toBe(refused.json().request_id);
      expect(refused.json()).toMatchObject({ code: 'overloaded', retryable: true });
    }
    expect(target.keys.lookups).toBe(lookups);
    expect(target.payments.calls).toBe(0);
    goOn();
    for (const answer of await Promise.all(held)) expect(answer.statusCode).toBe(201);
    expect((await target.post('/v1/payments', PAYMENT)).statusCode).toBe(201);
  });

  test('what only reads is still answered, and so is whoever asks about health', async () => {
    const held = await heldUp('POST', '/v1/payments');
    expect((await target.get('/v1/accounts/alice')).statusCode).toBe(200);
    const reads = await heldUp('GET', '/v1/accounts/alice');
    expect((await target.get('/v1/accounts/alice')).statusCode).toBe(503);
    for (const url of ['/livez', '/readyz', '/metrics']) expect((await target.get(url)).statusCode).toBe(200);
    goOn();
    await Promise.all([...held, ...reads]);
    expect((await target.get('/v1/accounts/alice')).statusCode).toBe(200);
  });

  test('the answer over a connection is the same as from within, and the connection goes on', async () => {
    await heldUp('POST', '/v1/payments');
    await target.app.listen({ host: '127.0.0.1', port: 0 });
    const { port } = target.app.server.address() as { port: number };
    const pool = new Pool(`http://127.0.0.1:${port}`, { connections: 1 });
    const headers = { authorization: `Bearer ${target.key}`, 'content-type': 'application/json' };
    for (const path of ['/v1/payments', '/v1/transactions', '/v1/accounts', '/v1/payments?and=more']) {
      const within = await target.post(path, PAYMENT);
      target.measured.length = 0;
      const over = await pool.request({ path, method: 'POST', headers, body: JSON.stringify(PAYMENT) });
      const body = (await over.body.json()) as Record<string, unknown>;
      expect(over.statusCode).toBe(503);
      expect(over.headers['x-request-id']).toBe(body.request_id);
      expect(target.measured).toEqual([{ method: 'POST', route: path.split('?')[0], status: 503 }]);
      expect(body).toEqual({ ...within.json(), request_id: body.request_id });
      for (const name of Object.keys(within.headers)) {
        const isOwn = ['x-request-id', 'date', 'connection'].includes(name);
        if (!isOwn) expect(over.headers[name], name).toBe(within.headers[name]);
      }
    }
    goOn();
    const headersToPay = { ...headers, 'idempotency-key': 'later' };
    const pay = () =>
      pool.request({ path: '/v1/payments', method: 'POST', headers: headersToPay, body: JSON.stringify(PAYMENT) });
    await expect.poll(async () => (await pay()).statusCode).toBe(201);
    await pool.destroy();
  });

  test('refusals are measured each, and logged by their number', async () => {
    await heldUp('POST', '/v1/payments');
    for (let n = 0; n < 5; n++) await target.post('/v1/payments', PAYMENT);
    expect(target.measured).toEqual(Array(5).fill({ method: 'POST', route: '/v1/payments', status: 503 }));
    const soon = () => target.logged.find(({ refused }) => refused);
    await expect
      .poll(async () => (await target.post('/v1/payments', PAYMENT)) && soon())
      .toMatchObject({ refused: expect.any(Number), max: MAX });
    expect(target.logged).toHaveLength(1);
    expect(target.logged[0]!.refused).toBeGreaterThanOrEqual(6);
  });
});

describe('who hangs up', () => {
  let target: TestApp;
  beforeEach(async () => {
    target = await testApp({ requestsMax: 1 });
    await fund(target);
    await target.app.listen({ host: '127.0.0.1', port: 0 });
  });
  afterEach(() => target.app.close());

  /** Sends the beginning of a request and hangs up once the service has got it. */
  async function hangUp(text: string): Promise<void> {
    const { port } = target.app.server.address() as { port: number };
    const socket = connect(port, '127.0.0.1');
    socket.write(text);
    await expect.poll(isFull).toBe(true);
    socket.destroy();
  }
  const isFull = async () => (await target.post('/v1/payments', PAYMENT)).statusCode === 503;
  const HEAD = 'POST /v1/payments HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nidempotency-key: k\r\n';

  test('while the body is on its way leaves room for another', async () => {
    await hangUp(`${HEAD}authorization: Bearer ${target.key}\r\ncontent-length: 100\r\n\r\n{`);
    await expect.poll(isFull).toBe(false);
  });

  test('while the key is looked up is counted until that has ended', async () => {
    let goOn = (): void => {};
    const blocked = new Promise<null>((resolve) => {
      goOn = () => resolve(null);
    });
    const { find } = target.keys;
    const key = target.keys.add();
    target.keys.find = (hash) => blocked.then(() => find.call(target.keys, hash));
    await hangUp(`${HEAD}authorization: Bearer ${key}\r\ncontent-length: 2\r\n\r\n{}`);
    for (let n = 0; n < 5; n++) expect(await isFull()).toBe(true);
    goOn();
    await expect.poll(isFull).toBe(false);
  });

  test('while the ledger works on it is counted until that has ended', async () => {
    let goOn = (): void => {};
    const blocked = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    const { createPayment } = target.payments;
    target.payments.createPayment = async (request, caller) => {
      if (caller.key === 'k') await blocked;
      return createPayment.call(target.payments, request, caller);
    };
    const body = JSON.stringify(PAYMENT);
    await hangUp(`${HEAD}authorization: Bearer ${target.key}\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
    for (let n = 0; n < 5; n++) expect(await isFull()).toBe(true);
    goOn();
    await expect.poll(isFull).toBe(false);
  });
});

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CachingAuthenticator, generateApiKey, hashApiKey, isApiKey } from '../../src/http/auth.ts';
import { SCOPES, type Scope } from '../../src/http/ports.ts';
import { fund, MemoryApiKeys, type TestApp, testApp } from './support/app.ts';

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
/** Every route that needs a key, and the one scope that opens it. */
const ROUTES: [method: Method, url: string, scope: Scope][] = [
  ['POST', '/v1/accounts', 'accounts:write'],
  ['GET', '/v1/accounts', 'accounts:read'],
  ['GET', '/v1/accounts/alice', 'accounts:read'],
  ['PATCH', '/v1/accounts/alice', 'accounts:write'],
  ['GET', '/v1/accounts/alice/balance', 'accounts:read'],
  ['GET', '/v1/accounts/alice/entries', 'accounts:read'],
  ['POST', '/v1/accounts/alice/freeze', 'accounts:write'],
  ['POST', '/v1/accounts/alice/unfreeze', 'accounts:write'],
  ['POST', '/v1/accounts/alice/close', 'accounts:write'],
  ['PUT', '/v1/accounts/alice/limits', 'accounts:write'],
  ['POST', '/v1/balances/query', 'accounts:read'],
  ['GET', '/v1/balances/sum', 'accounts:read'],
  ['POST', '/v1/payments', 'payments:write'],
  ['POST', '/v1/payments/bulk', 'payments:write'],
  ['POST', '/v1/payments/pay_1/capture', 'payments:write'],
  ['POST', '/v1/payments/pay_1/cancel', 'payments:write'],
  ['POST', '/v1/payments/pay_1/refund', 'payments:write'],
  ['GET', '/v1/payments', 'payments:read'],
  ['GET', '/v1/payments/pay_1', 'payments:read'],
  ['GET', '/v1/payments/pay_1/transactions', 'payments:read'],
  ['POST', '/v1/transactions', 'payments:write'],
  ['POST', '/v1/transactions/txn_1/reverse', 'payments:write'],
  ['GET', '/v1/transactions', 'payments:read'],
  ['GET', '/v1/transactions/txn_1', 'payments:read'],
  ['GET', '/v1/events', 'payments:read'],
  ['GET', '/v1/events/evt_1', 'payments:read'],
  ['GET', '/v1/trial_balance', 'accounts:read'],
  ['GET', '/v1/books', 'accounts:read'],
  ['POST', '/v1/webhook_endpoints', 'operations'],
  ['GET', '/v1/webhook_endpoints', 'operations'],
  ['GET', '/v1/webhook_endpoints/we_1', 'operations'],
  ['DELETE', '/v1/webhook_endpoints/we_1', 'operations'],
  ['POST', '/v1/webhook_endpoints/we_1/rotate_secret', 'operations'],
  ['POST', '/v1/webhook_endpoints/we_1/enable', 'operations'],
  ['POST', '/v1/webhook_endpoints/we_1/disable', 'operations'],
  ['GET', '/v1/webhook_endpoints/we_1/deliveries', 'operations'],
  ['POST', '/v1/webhook_endpoints/we_1/deliveries/evt_1/redeliver', 'operations'],
  ['GET', '/v1/dead_letters', 'operations'],
  ['GET', '/v1/dead_letters/dl-1', 'operations'],
  ['POST', '/v1/dead_letters/redrive', 'operations'],
  ['POST', '/v1/dead_letters/drop', 'operations'],
  ['POST', '/v1/reconciliations', 'operations'],
  ['GET', '/v1/reconciliations/rec_1', 'operations'],
  ['GET', '/v1/reconciliations', 'operations'],
  ['GET', '/v1/reconciliations/rec_1/items', 'operations'],
  ['GET', '/v1/reconciliations/rec_1/matches', 'operations'],
  ['GET', '/v1/reconciliations/rec_1/report', 'operations'],
  ['GET', '/v1/breaks', 'operations'],
  ['GET', '/v1/breaks/ageing', 'operations'],
  ['GET', '/v1/breaks/brk_1', 'operations'],
  ['POST', '/v1/breaks/brk_1/assign', 'operations'],
  ['POST', '/v1/breaks/brk_1/comments', 'operations'],
  ['POST', '/v1/breaks/brk_1/resolve', 'operations'],
  ['GET', '/metrics', 'operations'],
];

describe('routes', () => {
  let target: TestApp;
  beforeEach(async () => {
    target = await testApp();
    await fund(target);
  });
  afterEach(() => target.app.close());

  const ask = (method: Method, url: string, authorization?: string) =>
    target.app.inject({
      method,
      url,
      headers: { 'content-type': 'application/json', ...(authorization === undefined ? {} : { authorization }) },
      ...(method !== 'GET' ? { payload: '{}' } : {}),
    });

  test('the table names every route of the document that needs a key', async () => {
    const { paths } = (await target.app.inject('/openapi.json')).json();
    const secured = Object.entries<Record<string, { security?: unknown }>>(paths).flatMap(([path, methods]) =>
      Object.entries(methods).flatMap(([method, { security }]) =>
        security ? [`${method.toUpperCase()} ${path}`] : [],
      ),
    );
    const named = ROUTES.map(
      ([method, url]) =>
        `${method} ${url.replace(/(?<!deliveries)\/(alice|pay_1|txn_1|evt_1|we_1|rec_1|brk_1|dl-1)/, '/{id}').replace('/evt_1/', '/{event}/')}`,
    );
    expect(named.sort()).toEqual(secured.sort());
  });

  describe.each(ROUTES)('%s %s', (method, url, scope) => {
    test('without a key is a 401', async () => {
      const answer = await ask(method, url);
      expect(answer.statusCode).toBe(401);
      expect(answer.headers['www-authenticate']).toBe('Bearer realm="kvitt"');
      expect(answer.json()).toMatchObject({ code: 'unauthenticated', errors: [{ header: 'Authorization' }] });
      expect(target.payments.calls).toBe(0);
    });

    test(`with every scope but ${scope} is a 403`, async () => {
      const key = target.keys.add({ scopes: SCOPES.filter((other) => other !== scope) });
      const answer = await ask(method, url, `Bearer ${key}`);
      expect(answer.statusCode).toBe(403);
      expect(answer.headers['www-authenticate']).toContain(`scope="${scope}"`);
      expect(answer.json()).toMatchObject({ code: 'insufficient_scope' });
      expect(target.payments.calls).toBe(0);
    });

    test(`with ${scope} alone is let in`, async () => {
      const answer = await ask(method, url, `Bearer ${target.keys.add({ scopes: [scope] })}`);
      expect([401, 403, 405, 500]).not.toContain(answer.statusCode);
    });
  });

  test.each<[string, () => string]>([
    ['an unknown key', () => `Bearer ${generateApiKey()}`],
    ['an expired key', () => `Bearer ${target.keys.add({ expiresAt: new Date(Date.now() - 1) })}`],
    ['a revoked key', () => `Bearer ${target.keys.add({ revokedAt: new Date() })}`],
    ['no key of ours', () => 'Bearer secret'],
    ['the key as basic credentials', () => `Basic ${target.key}`],
    ['the key alone', () => target.key],
    ['two keys', () => `Bearer ${target.key} ${target.key}`],
    ['an operator', () => 'Bearer {"$ne":null}'],
    ['nothing', () => 'Bearer '],
  ])('%s is a 401', async (_what, authorization) => {
    const answer = await ask('GET', '/v1/accounts', authorization());
    expect(answer.statusCode).toBe(401);
    expect(answer.json().code).toBe('unauthenticated');
    expect(target.payments.calls).toBe(0);
  });

  test('a key that expires later is let in', async () => {
    const key = target.keys.add({ expiresAt: new Date(Date.now() + 60_000) });
    expect((await ask('GET', '/v1/accounts', `Bearer ${key}`)).statusCode).toBe(200);
  });

  test('when keys cannot be looked up, the answer is a 503 and not a 401', async () => {
    target.keys.failure = new Error('mongodb://secret is down');
    const answer = await ask('GET', '/v1/accounts', `Bearer ${generateApiKey()}`);
    expect(answer.statusCode).toBe(503);
    expect(answer.headers['retry-after']).toBe('1');
    expect(answer.json()).toMatchObject({ code: 'unavailable', retryable: true });
    expect(answer.body).not.toContain('secret');
  });

  test.each(['/livez', '/readyz', '/openapi.json', '/docs'])('%s is open', async (url) => {
    expect((await ask('GET', url)).statusCode).toBe(200);
  });

  test('a key never comes back in an answer or in the log', async () => {
    await ask('GET', '/v1/accounts', `Bearer ${target.key}`);
    const answer = await ask('GET', '/v1/accounts', `Bearer ${target.key}x`);
    expect(answer.body).not.toContain(target.key);
    expect(JSON.stringify(target.logged)).not.toContain(target.key);
  });
});

test('the metrics are open when the settings say so', async () => {
  const target = await testApp({ metricsOpen: true });
  const answer = await target.app.inject('/metrics');
  expect(answer.statusCode).toBe(200);
  expect(answer.headers['content-type']).toContain('text/plain');
  expect(answer.body).toBe('kvitt_up 1\n');
  await target.app.close();
});

describe('keys', () => {
  test('are kvitt_ and 43 characters of base 62, never the same twice', () => {
    const keys = Array.from({ length: 100 }, generateApiKey);
    for (const key of keys) {
      expect(key).toMatch(/^kvitt_[0-9A-Za-z]{43}$/);
      expect(isApiKey(key)).toBe(true);
    }
    expect(new Set(keys).size).toBe(100);
  });
  test.each(['', 'kvitt_', 'kvitt_short', `other_${'a'.repeat(43)}`, `kvitt_${'-'.repeat(43)}`])(
    '%j is none',
    (text) => {
      expect(isApiKey(text)).toBe(false);
    },
  );
  test('are hashed with SHA-256', () => {
    expect(hashApiKey('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  });
});

describe('the authenticator', () => {
  let keys: MemoryApiKeys;
  let now: number;
  beforeEach(() => {
    keys = new MemoryApiKeys();
    now = 1_000_000;
  });
  const authenticator = (options: { entriesMax?: number; lookupsMax?: number } = {}) =>
    new CachingAuthenticator(keys, { ttlMs: 5_000, now: () => now, ...options });

  test('asks the store once while its answer is fresh', async () => {
    const key = keys.add({ client: 'shop', scopes: ['payments:read'] });
    const auth = authenticator();
    const first = await auth.authenticate(key);
    await auth.authenticate(key);
    expect(first).toEqual({ keyId: hashApiKey(key).slice(0, 16), client: 'shop', scopes: new Set(['payments:read']) });
    expect(keys.lookups).toBe(1);
  });

  test('lets a revoked key in no longer than the time to live', async () => {
    const key = keys.add();
    const hash = hashApiKey(key);
    const auth = authenticator();
    expect(await auth.authenticate(key)).not.toBeNull();
    const record = keys.records.get(hash);
    if (record !== undefined) keys.records.set(hash, { ...record, revokedAt: new Date(now) });
    now += 4_999;
    expect(await auth.authenticate(key)).not.toBeNull();
    now += 1;
    expect(await auth.authenticate(key)).toBeNull();
  });

  test('sees an expiry at once, though the record is remembered', async () => {
    const key = keys.add({ expiresAt: new Date(now + 10) });
    const auth = authenticator();
    expect(await auth.authenticate(key)).not.toBeNull();
    now += 10;
    expect(await auth.authenticate(key)).toBeNull();
    expect(keys.lookups).toBe(1);
  });

  test('remembers unknown keys too, and never asks for what is no key', async () => {
    const auth = authenticator();
    const unknown = generateApiKey();
    expect(await auth.authenticate(unknown)).toBeNull();
    expect(await auth.authenticate(unknown)).toBeNull();
    expect(await auth.authenticate('secret')).toBeNull();
    expect(keys.lookups).toBe(1);
  });

  test('remembers so many keys and no more, the oldest forgotten first', async () => {
    const [a, b, c] = [keys.add(), keys.add(), keys.add()];
    const auth = authenticator({ entriesMax: 2 });
    for (const key of [a, b, c, c, b]) await auth.authenticate(key);
    expect(keys.lookups).toBe(3);
    await auth.authenticate(a);
    expect(keys.lookups).toBe(4);
  });

  test('shares one lookup among requests at once', async () => {
    const key = keys.add();
    const auth = authenticator();
    const found = await Promise.all(Array.from({ length: 10 }, () => auth.authenticate(key)));
    expect(found.every((principal) => principal?.client === 'shop')).toBe(true);
    expect(keys.lookups).toBe(1);
  });

  test('refuses more lookups at once than it may make, as overload', async () => {
    const auth = authenticator({ lookupsMax: 2 });
    const results = await Promise.allSettled([keys.add(), keys.add(), keys.add()].map((key) => auth.authenticate(key)));
    expect(results.map((result) => result.status)).toEqual(['fulfilled', 'fulfilled', 'rejected']);
    expect(results[2]).toMatchObject({ reason: { code: 'overloaded' } });
  });

  test('does not remember a failure of the store', async () => {
    const key = keys.add();
    const auth = authenticator();
    keys.failure = new Error('down');
    await expect(auth.authenticate(key)).rejects.toMatchObject({ code: 'unavailable' });
    keys.failure = null;
    expect(await auth.authenticate(key)).not.toBeNull();
  });
});

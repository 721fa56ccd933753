import { connect } from 'node:net';
import type { InjectOptions } from 'fastify';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SECURITY_HEADERS } from '../../src/http/security-headers.ts';
import { fund, type TestApp, testApp } from './support/app.ts';

let target: TestApp;
beforeEach(async () => {
  target = await testApp();
  await fund(target);
});
afterEach(() => target.app.close());

/** What answers without a key, by path. Whatever is not here must ask for a scope. */
const OPEN = ['/livez', '/readyz', '/openapi.json', '/docs'];

describe('every route of the app', () => {
  test('either is on the list of open ones or asks for a key with a scope', async () => {
    const routes = routesOf(target.app.printRoutes({ commonPrefix: false }));
    expect(routes).toContainEqual({ method: 'POST', url: '/v1/payments' });
    expect(routes).toContainEqual({ method: 'GET', url: '/v1/reconciliations/:id/items' });
    const scopeless = target.keys.add({ scopes: [] });
    const seen = await Promise.all(
      routes.map(async ({ method, url }) => {
        const path = url.replace(/:[a-z]+/g, 'x');
        const headers = { authorization: `Bearer ${scopeless}` };
        const ask = (options: InjectOptions) => target.app.inject({ method: method as 'GET', url: path, ...options });
        return {
          route: `${method} ${url}`,
          url,
          statuses: [await ask({}), await ask({ headers })].map((a) => a.statusCode),
        };
      }),
    );
    const isOpen = (url: string) => OPEN.some((open) => url === open || url.startsWith('/docs/'));
    const unguarded = seen.filter(({ url, statuses }) => !isOpen(url) && statuses.join() !== '401,403');
    expect(unguarded).toEqual([]);
    for (const open of OPEN) expect(routes.map(({ url }) => url)).toContain(open);
  });
});

/** Reads the tree that Fastify prints, one path a line below the path that it goes on from. */
function routesOf(tree: string): { method: string; url: string }[] {
  const above: string[] = [];
  return tree
    .split('\n')
    .filter((line) => line.trim() !== '')
    .flatMap((line) => {
      const [, indent, part, methods] = /^([│ ]*)[├└]── (\S+) \((.+)\)$/.exec(line) ?? [];
      if (indent === undefined) throw new Error(`not a line of the tree: ${line}`);
      const depth = indent.length / 4;
      const url = (above[depth - 1] ?? '') + part;
      above[depth] = url;
      return methods!.split(', ').map((method) => ({ method, url }));
    });
}

describe('the headers for security', () => {
  test.each<[string, InjectOptions, number]>([
    ['a success', { url: '/v1/accounts/alice' }, 200],
    ['health', { url: '/livez' }, 200],
    ['a missing account', { url: '/v1/accounts/nobody' }, 404],
    ['an unknown path', { url: '/nothing' }, 404],
    ['a wrong method', { method: 'DELETE', url: '/v1/accounts' }, 405],
    ['a wrong key', { url: '/v1/accounts', headers: { authorization: 'Bearer x' } }, 401],
    ['a URL that cannot be decoded', { url: '/v1/accounts/%zz' }, 400],
    [
      'broken JSON',
      { method: 'POST', url: '/v1/accounts', headers: { 'content-type': 'application/json' }, payload: '{' },
      400,
    ],
  ])('are on %s', async (_what, options, status) => {
    const answer = await target.inject(options);
    expect(answer.statusCode).toBe(status);
    expect(answer.headers).toMatchObject(SECURITY_HEADERS);
  });

  test('are on an unexpected error', async () => {
    target.payments.failure = new Error('x');
    const answer = await target.get('/v1/accounts/alice');
    expect(answer.statusCode).toBe(500);
    expect(answer.headers).toMatchObject(SECURITY_HEADERS);
  });

  test('are on what is refused before the framework sees it', async () => {
    const full = await testApp({ requestsMax: 0 });
    const answer = await full.post('/v1/payments', {});
    const other = await full.get('/v1/accounts');
    await full.app.listen({ host: '127.0.0.1', port: 0 });
    const { port } = full.app.server.address() as { port: number };
    const early = await fetch(`http://127.0.0.1:${port}/v1/payments`, { method: 'POST' });
    await full.app.close();
    expect([answer.statusCode, other.statusCode, early.status]).toEqual([503, 503, 503]);
    for (const { headers } of [answer, other]) expect(headers).toMatchObject(SECURITY_HEADERS);
    expect(Object.fromEntries(early.headers)).toMatchObject(SECURITY_HEADERS);
  });

  test('are on what is no HTTP', async () => {
    await target.app.listen({ host: '127.0.0.1', port: 0 });
    const { port } = target.app.server.address() as { port: number };
    const received = await new Promise<string>((resolve, reject) => {
      let text = '';
      const socket = connect(port, '127.0.0.1', () => socket.write('hello\r\n\r\n'));
      socket.setEncoding('utf8').on('data', (chunk) => {
        text += chunk;
      });
      socket.on('end', () => resolve(text)).on('error', reject);
    });
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) expect(received).toContain(`${name}: ${value}\r\n`);
  });

  test('let the pages show themselves, and nobody frame them', async () => {
    const { headers } = await target.app.inject('/docs');
    expect(headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' });
    expect(headers['content-security-policy']).toMatch(/frame-ancestors 'none'.*script-src 'self'/);
  });
});

describe('the headers of the rate limit', () => {
  test('tell each key what it has left', async () => {
    const limited = await testApp({ rateLimitPerMinute: 2 });
    const authorization = `Bearer ${limited.keys.add()}`;
    const answers = [
      await limited.get('/v1/accounts'),
      await limited.get('/v1/accounts'),
      await limited.get('/v1/accounts'),
    ];
    const other = await limited.inject({ url: '/v1/accounts', headers: { authorization } });
    await limited.app.close();
    const left = [...answers, other].map(({ statusCode, headers }) => [statusCode, headers['ratelimit-remaining']]);
    expect(left.map(([status, remaining]) => [status, String(remaining)])).toEqual([
      [200, '1'],
      [200, '0'],
      [429, '0'],
      [200, '1'],
    ]);
    for (const { headers } of answers) {
      expect(String(headers['ratelimit-limit'])).toBe('2');
      expect(Number(headers['ratelimit-reset'])).toBeGreaterThan(0);
      expect(Number(headers['ratelimit-reset'])).toBeLessThanOrEqual(60);
    }
  });
});

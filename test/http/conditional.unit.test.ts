import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fund, type TestApp, testApp } from './support/app.ts';

let target: TestApp;
beforeAll(async () => {
  target = await testApp();
  await fund(target);
  for (let n = 1; n <= 9; n++) {
    const body = { source: 'alice', destination: 'bob', amount: n, currency: 'EUR', metadata: { shop: 'a & b' } };
    await target.post('/v1/payments', body);
  }
});
afterAll(() => target.app.close());

const PAYMENT = '/v1/payments/pay_00000000-0000-7000-8000-000000000002';
const get = (url: string, ifNoneMatch?: string) =>
  target.inject({ url, headers: ifNoneMatch === undefined ? {} : { 'if-none-match': ifNoneMatch } });

/** What a `Link` header says, by relation. */
function linksOf(header: unknown): Record<string, string> {
  return Object.fromEntries(
    [...String(header ?? '').matchAll(/<([^>]*)>; rel="(\w+)"/g)].map((one) => [one[2], one[1]]),
  );
}

/** Follows a relation to its end: the ids on each page, and where the last one is. */
async function walk(from: string, rel: string): Promise<{ pages: string[][]; last: string }> {
  const pages: string[][] = [];
  let last = from;
  for (let url: string | undefined = from; url !== undefined; ) {
    const answer = await get(url);
    pages.push(answer.json().data.map(({ id }: { id: string }) => id));
    last = url;
    url = linksOf(answer.headers.link)[rel];
  }
  return { pages, last };
}

describe('an ETag', () => {
  const STRONG = ['/v1/accounts/alice', PAYMENT, '/v1/payments?limit=2', '/v1/accounts', '/v1/accounts/bob/entries'];

  test.each([...STRONG, '/v1/transactions', '/v1/trial_balance'])(
    'of %s is strong, and the same while nothing changes',
    async (url) => {
      const [one, two] = [await get(url), await get(url)];
      expect(one.headers.etag).toMatch(/^"[A-Za-z0-9_-]{22}"$/);
      expect(two.headers.etag).toBe(one.headers.etag);
    },
  );

  test('of a balance is weak: it is read at another time, and the same', async () => {
    const now = await get('/v1/accounts/alice/balance');
    expect(now.headers.etag).toMatch(/^W\/"[A-Za-z0-9_-]{22}"$/);
    const later = await get('/v1/accounts/alice/balance?at=2026-03-01T00:00:00Z', String(now.headers.etag));
    expect(later.statusCode).toBe(304);
    const before = await get('/v1/accounts/alice/balance?at=2026-01-31T12:00:03Z', String(now.headers.etag));
    expect(before.statusCode).toBe(200);
  });

  test('is another one as soon as something changes', async () => {
    const urls = ['/v1/accounts/bob/balance', '/v1/payments', '/v1/transactions', '/v1/accounts/bob/entries'];
    const before = await Promise.all(urls.map(async (url) => (await get(url)).headers.etag));
    await target.post('/v1/payments', { source: 'alice', destination: 'bob', amount: 1, currency: 'EUR' });
    for (const [i, url] of urls.entries()) expect((await get(url, String(before[i]))).statusCode).toBe(200);
  });

  test('is on no refusal and no POST', async () => {
    expect((await get('/v1/accounts/nobody')).headers.etag).toBeUndefined();
    const created = await target.post('/v1/accounts', { id: 'dave', currency: 'EUR' });
    expect(created.headers.etag).toBeUndefined();
  });
});

describe('If-None-Match', () => {
  test.each<[string, (tag: string) => string]>([
    ['the tag', (tag) => tag],
    ['the tag as a weak one', (tag) => `W/${tag}`],
    ['one of several', (tag) => `"other", ${tag} ,W/"third"`],
    ['anything', () => ' * '],
  ])('with %s is answered 304, without a body', async (_what, header) => {
    const { headers } = await get(PAYMENT);
    const answer = await get(PAYMENT, header(String(headers.etag)));
    expect(answer.statusCode).toBe(304);
    expect(answer.body).toBe('');
    expect(answer.headers.etag).toBe(headers.etag);
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(answer.headers['content-type']).toBeUndefined();
  });

  test.each(['"other"', 'nonsense', '', '""'])('with %s is answered as ever', async (header) => {
    const answer = await get(PAYMENT, header);
    expect(answer.statusCode).toBe(200);
    expect(answer.json().object).toBe('payment');
  });
});

describe('the Link header', () => {
  test('leads over all pages and back again, with all filters', async () => {
    const first =
      '/v1/payments?limit=4&account=bob&metadata[shop]=a%20%26%20b&created[gte]=2026-01-01T00:00:00%2B01:00';
    const { pages: there, last } = await walk(first, 'next');
    const { pages: back } = await walk(last, 'prev');
    expect(there.map((ids) => ids.length)).toEqual([4, 4, 1]);
    expect(back).toEqual([...there].reverse());
    expect(target.payments.lastFilter).toMatchObject({
      account: 'bob',
      metadata: { shop: 'a & b' },
      createdFrom: new Date('2025-12-31T23:00:00Z'),
    });
  });

  test('of the first page leads on only, and of the only page nowhere', async () => {
    expect(Object.keys(linksOf((await get('/v1/payments?limit=1')).headers.link))).toEqual(['next']);
    expect((await get('/v1/payments?limit=100')).headers.link).toBeUndefined();
    expect((await get('/v1/trial_balance')).headers.link).toBeUndefined();
    expect((await get('/v1/payments?account=carol')).headers.link).toBeUndefined();
  });

  test('is left out where it would be too long to be taken', async () => {
    const metadata = Object.fromEntries(Array.from({ length: 5 }, (_, i) => [`k${i}`, 'å'.repeat(480)]));
    const body = { source: 'alice', destination: 'bob', amount: 1, currency: 'EUR', metadata };
    for (let i = 0; i < 2; i++) await target.post('/v1/payments', body);
    const query = Object.entries(metadata).map(([key, value]) => `metadata[${key}]=${encodeURIComponent(value)}`);
    const answer = await get(`/v1/payments?limit=1&${query.join('&')}`);
    expect(answer.json()).toMatchObject({ data: [{ amount: '1' }], has_more: true });
    expect(answer.headers.link).toBeUndefined();
  });

  test('names an account by its id as it is', async () => {
    const { link } = (await get('/v1/accounts?limit=1')).headers;
    const next = linksOf(link).next!;
    expect((await get(next)).statusCode).toBe(200);
  });
});

describe('a PATCH of an account', () => {
  const patch = (metadata: unknown, ifMatch?: string, id = 'erin') =>
    target.inject({
      method: 'PATCH',
      url: `/v1/accounts/${id}`,
      headers: { 'content-type': 'application/json', ...(ifMatch === undefined ? {} : { 'if-match': ifMatch }) },
      payload: JSON.stringify({ metadata }),
    });
  const tagNow = async () => String((await get('/v1/accounts/erin')).headers.etag);
  beforeAll(async () => {
    await target.post('/v1/accounts', {
      id: 'erin',
      currency: 'EUR',
      metadata: { kept: '1', changed: '1', removed: '1' },
    });
  });

  test('that matches is a merge patch, and answers the tag of what it made', async () => {
    const answer = await patch({ changed: '2', removed: null, added: '3', never: null }, await tagNow());
    expect(answer.statusCode).toBe(200);
    expect(answer.json()).toMatchObject({ id: 'erin', metadata: { kept: '1', changed: '2', added: '3' } });
    expect(answer.json().metadata).not.toHaveProperty('removed');
    expect(answer.headers.etag).toBe(await tagNow());
  });

  test('of what was changed since is a 412, and changes nothing', async () => {
    const before = await tagNow();
    expect((await patch({ changed: '4' }, before)).statusCode).toBe(200);
    const answer = await patch({ changed: '5' }, before);
    expect(answer.statusCode).toBe(412);
    expect(answer.json()).toMatchObject({ code: 'precondition_failed', errors: [{ header: 'If-Match' }] });
    expect((await get('/v1/accounts/erin')).json().metadata.changed).toBe('4');
  });

  test('without If-Match is a 428, and of nobody a 404', async () => {
    const answer = await patch({ changed: '6' });
    expect(answer.statusCode).toBe(428);
    expect(answer.json()).toMatchObject({ code: 'precondition_required', errors: [{ header: 'If-Match' }] });
    expect((await patch({ a: '1' }, '*', 'nobody')).statusCode).toBe(404);
  });

  test('compares strongly: a weak tag does not match; one of several does, and so does *', async () => {
    expect((await patch({ changed: '7' }, `W/${await tagNow()}`)).statusCode).toBe(412);
    expect((await patch({ changed: '7' }, `"other", ${await tagNow()}`)).statusCode).toBe(200);
    expect((await patch({ changed: '8' }, '*')).statusCode).toBe(200);
  });

  test.each([
    [{ 'a.b': '1' }, '/metadata/a.b'],
    [{ a: 1 }, '/metadata/a'],
    [{ a: '' }, '/metadata/a'],
    [{ a: { $ne: null } }, '/metadata/a'],
    ['x', '/metadata'],
    [Object.fromEntries(Array.from({ length: 49 }, (_, i) => [`k${i}`, 'v'])), '/metadata'],
  ])('with %j is refused', async (metadata, pointer) => {
    const answer = await patch(metadata, '*');
    expect(answer.statusCode).toBe(400);
    expect(answer.json()).toMatchObject({ code: 'validation_failed', errors: [{ pointer }] });
  });
});

import { beforeAll, describe, expect, it } from 'vitest';
import {
  type Account,
  type Answer,
  type Balance,
  createAccountsInBook,
  type Entry,
  type List,
  type Payment,
  type Problem,
  type Transaction,
} from './support/api.ts';
import { listsCaughtUp, useService } from './support/service.ts';

const PAYMENTS = 40;
const service = useService({ BOOKS: '2' });
/** An account that gives, in the first book, and one of each book that gets. */
let bank: string;
let near: string;
let far: string;

beforeAll(async () => {
  const { api, db } = service;
  [bank] = (await createAccountsInBook(api, 0, 'bank', 1, { min_balance: null })) as [string];
  [near] = (await createAccountsInBook(api, 0, 'user:1:wallet', 1)) as [string];
  [far] = (await createAccountsInBook(api, 1, 'user:2:wallet', 1)) as [string];
  for (let wave = 0; wave < 4; wave++) {
    await Promise.all(
      Array.from({ length: PAYMENTS / 4 }, (_, i) =>
        api.pay(bank, i % 2 === 0 ? near : far, 1 + i, { metadata: { wave: String(wave), even: String(i % 2 === 0) } }),
      ),
    );
    const postings = [
      { account: bank, amount: -3, currency: 'EUR' },
      { account: near, amount: 1, currency: 'EUR' },
      { account: far, amount: 2, currency: 'EUR' },
    ];
    expect((await api.post('/v1/transactions', { postings })).status).toBe(201);
  }
  const tooMuch = { source: near, destination: far, amount: 1_000_000, currency: 'EUR' };
  expect((await api.post('/v1/payments', tooMuch)).status).toBe(422);
  await listsCaughtUp(db);
});

/** All pages by following `Link`. */
async function follow<T>(path: string, rel: 'next' | 'prev'): Promise<T[][]> {
  const pages: T[][] = [];
  for (let to: string | undefined = path; to !== undefined && pages.length < 100; ) {
    const { status, body, headers, text }: Answer<List<T>> = await service.api.get<List<T>>(to);
    if (status !== 200) throw new Error(text);
    pages.push(body.data);
    to = new RegExp(`<([^>]*)>; rel="${rel}"`).exec(headers.get('link') ?? '')?.[1];
  }
  return pages;
}

const all = async <T>(path: string) =>
  (await service.api.read<List<T>>(`${path}${path.includes('?') ? '&' : '?'}limit=100`)).data;

describe('a list that is followed by its links', () => {
  type Case = [path: () => string, count: number];
  it.each<Case>([
    [() => '/v1/payments?metadata[wave]=2', PAYMENTS / 4],
    [() => '/v1/payments?metadata[wave]=2&metadata[even]=true&amount[gte]=3', 4],
    [() => `/v1/payments?account=${encodeURIComponent(far)}&status=posted&currency=EUR`, PAYMENTS / 2],
    [() => '/v1/payments?amount=4', 4],
    [() => '/v1/transactions?kind=transaction', 4],
    [() => '/v1/transactions?kind=payment', PAYMENTS + 1],
    [() => `/v1/transactions?account=${encodeURIComponent(far)}`, PAYMENTS / 2 + 4],
    [() => `/v1/transactions?account=${encodeURIComponent(near)}&kind=transaction`, 4],
    [() => `/v1/accounts/${bank}/entries?direction=debit&kind=payment`, PAYMENTS],
    [() => `/v1/accounts/${bank}/entries?direction=credit`, 0],
    [() => '/v1/accounts?prefix=user:', 0],
  ])('is the same as at once, there and back: %#', async (path, count) => {
    const items = await all<{ id: string }>(path());
    if (count > 0) expect(items).toHaveLength(count);
    const withLimit = `${path()}${path().includes('?') ? '&' : '?'}limit=3`;
    const there = await follow<{ id: string }>(withLimit, 'next');
    expect(there.flat()).toEqual(items);
    if (items.length === 0) return;
    const last = `${withLimit}&starting_after=${encodeURIComponent(items[0]!.id)}`;
    const rest = (await follow<{ id: string }>(last, 'next')).flat();
    expect(rest).toEqual(items.slice(1));
    const back = await follow<{ id: string }>(
      `${withLimit}&ending_before=${encodeURIComponent(items.at(-1)!.id)}`,
      'prev',
    );
    expect(back.reverse().flat()).toEqual(items.slice(0, -1));
  });

  it('of transactions of an account has each whole, also where it spans books', async () => {
    const found = await all<Transaction>(`/v1/transactions?account=${encodeURIComponent(far)}`);
    for (const one of found) expect(await service.api.read(`/v1/transactions/${one.id}`)).toEqual(one);
    const lines = await all<Entry>(`/v1/accounts/${encodeURIComponent(far)}/entries`);
    expect(found.map(({ id }) => id)).toEqual(lines.map(({ transaction_id }) => transaction_id));
  });

  it('is filtered by time exactly', async () => {
    const payments = await all<Payment>('/v1/payments');
    const at = payments[Math.floor(payments.length / 2)]!.created_at;
    const operators = {
      gte: (t: string) => t >= at,
      gt: (t: string) => t > at,
      lte: (t: string) => t <= at,
      lt: (t: string) => t < at,
    };
    for (const [operator, keep] of Object.entries(operators)) {
      const query = `created[${operator}]=${encodeURIComponent(at)}`;
      expect(await all(`/v1/payments?${query}`)).toEqual(payments.filter(({ created_at }) => keep(created_at)));
      for (const path of ['/v1/transactions', `/v1/accounts/${bank}/entries`]) {
        const items = await all<{ created_at: string }>(path);
        expect(await all(`${path}?${query}`)).toEqual(items.filter(({ created_at }) => keep(created_at)));
      }
    }
  });

  it('takes a cursor with whatever filters', async () => {
    const payments = await all<Payment>('/v1/payments');
    const cursor = payments[7]!.id;
    const found = await all<Payment>(`/v1/payments?starting_after=${cursor}&metadata[even]=true`);
    expect(found).toEqual(payments.slice(8).filter(({ metadata }) => metadata.even === 'true'));
    const transaction = payments[7]!.transaction_id;
    const its = await all<Transaction>(`/v1/transactions?account=${encodeURIComponent(near)}`);
    const after = await all<Transaction>(
      `/v1/transactions?account=${encodeURIComponent(near)}&starting_after=${transaction}`,
    );
    expect(after).toEqual(its.slice(its.length - after.length));
    const unknown = await service.api.get<Problem>(`/v1/transactions?account=${bank}&starting_after=txn_none`);
    expect(unknown).toMatchObject({ status: 400, body: { code: 'invalid_cursor' } });
  });
});

describe('a payment that is not listed yet', () => {
  it('may be a cursor as soon as it is answered', async () => {
    const before = await all<Payment>('/v1/payments');
    for (let i = 0; i < 20; i++) {
      const { id } = await service.api.pay(bank, near, 1);
      const older = await all<Payment>(`/v1/payments?starting_after=${id}`);
      expect(older.slice(-before.length)).toEqual(before);
      expect(older.map((one) => one.id)).not.toContain(id);
      expect(await all(`/v1/payments?ending_before=${id}`)).toEqual([]);
    }
    const unknown = await service.api.get<Problem>('/v1/payments?starting_after=pay_none');
    expect(unknown).toMatchObject({ status: 400, body: { code: 'invalid_cursor' } });
  });
});

describe('an account', () => {
  const url = () => `/v1/accounts/${encodeURIComponent(near)}`;
  const patch = (metadata: object, ifMatch: string) =>
    service.api.send<Account & { code?: string }>('PATCH', url(), {
      headers: { 'content-type': 'application/json', 'if-match': ifMatch },
      body: JSON.stringify({ metadata }),
    });

  it('is changed by one of all who read the same and change it at once', async () => {
    for (let round = 0; round < 5; round++) {
      const tag = (await service.api.get(url())).headers.get('etag')!;
      const answers = await Promise.all(
        Array.from({ length: 8 }, (_, i) => patch({ round: `${round}`, by: `${i}` }, tag)),
      );
      const won = answers.filter(({ status }) => status === 200);
      expect(won).toHaveLength(1);
      expect(answers.filter(({ status, body }) => status === 412 && body.code === 'precondition_failed')).toHaveLength(
        7,
      );
      expect(await service.api.read(url())).toEqual(won[0]!.body);
    }
  });

  it('loses no change of those who ask for no condition', async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, (_, i) => patch({ [`key${i}`]: 'set' }, '*')));
    expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(200));
    const { metadata } = await service.api.read<Account>(url());
    for (let i = 0; i < 8; i++) expect(metadata[`key${i}`]).toBe('set');
  });

  it('keeps its balance, limits and the tag of its balance', async () => {
    const before = await service.api.get<Balance>(`${url()}/balance`);
    expect((await patch({ any: 'thing' }, '*')).status).toBe(200);
    const after = await fetch(`${service.api.address}${url()}/balance`, {
      headers: { authorization: `Bearer ${service.api.key}`, 'if-none-match': before.headers.get('etag')! },
    });
    expect(after.status).toBe(304);
    expect(await after.text()).toBe('');
  });
});

describe('balances', () => {
  it('of many accounts and their sum agree with each', async () => {
    const accounts = (await all<Account>('/v1/accounts')).map(({ id }) => id);
    const each = await Promise.all(
      accounts.map((id) => service.api.read<Balance>(`/v1/accounts/${encodeURIComponent(id)}/balance`)),
    );
    const { body } = await service.api.post<{ data: Balance[]; unknown: string[] }>('/v1/balances/query', {
      accounts: [...accounts, 'nobody'],
    });
    const plain = (balances: Balance[]) => balances.map(({ as_of: _, ...rest }) => rest);
    expect(plain(body.data)).toEqual(plain(each));
    expect(body.unknown).toEqual(['nobody']);
    const sums = await service.api.read<{ data: object[] }>('/v1/balances/sum?prefix=user:&group_by_level=2');
    const own = each.filter(({ account }) => account.startsWith('user:'));
    const sumOf = (user: string) =>
      String(
        own.filter(({ account }) => account.startsWith(user)).reduce((sum, { posted }) => sum + BigInt(posted), 0n),
      );
    const counted = (user: string) => own.filter(({ account }) => account.startsWith(user)).length;
    expect(sums.data).toEqual(
      ['user:1:', 'user:2:'].map((prefix) => ({
        prefix,
        currency: 'EUR',
        accounts: counted(prefix),
        posted: sumOf(prefix),
        held: '0',
        available: sumOf(prefix),
      })),
    );
  });
});

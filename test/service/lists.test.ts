import { beforeAll, describe, expect, it } from 'vitest';
import type { Book } from '../../src/client/client.ts';
import { MongoJournal } from '../../src/mongo/journal.ts';
import {
  type Account,
  type Balance,
  createAccountsInBook,
  type Entry,
  type List,
  type Payment,
  type Transaction,
  type TrialBalanceRow,
} from './support/api.ts';
import { listsCaughtUp, useService } from './support/service.ts';

const WAVES = 4;
const PER_WAVE = 9;
const service = useService({ BOOKS: '2' });
/** Of each book: an account that may go below zero, and two that may not. */
const books: { bank: string; alice: string; bob: string }[] = [];
/** All that was decided, newest first: as the journal has it, not as any list says. */
let decided: { id: string; at: number; book: number; height: number; index: number }[];

beforeAll(async () => {
  const { api, db } = service;
  for (const book of [0, 1]) {
    const [bank] = await createAccountsInBook(api, book, `bank${book}`, 1, { min_balance: null });
    const [alice, bob] = await createAccountsInBook(api, book, `wallet${book}`, 2);
    books.push({ bank: bank!, alice: alice!, bob: bob! });
  }
  for (let wave = 0; wave < WAVES; wave++) {
    await Promise.all(
      Array.from({ length: PER_WAVE }, (_, i) => {
        const { bank, alice } = books[i % 2]!;
        return api.pay(bank, alice, 100 * wave + i + 1, { reference: `wave-${wave}` });
      }),
    );
    const { alice, bob, bank } = books[wave % 2]!;
    const refused = { source: bob, destination: alice, amount: 1_000_000, currency: 'EUR', reference: `wave-${wave}` };
    expect((await api.post('/v1/payments', refused)).status).toBe(422);
    const postings = [
      { account: bank, amount: -3, currency: 'EUR' },
      { account: alice, amount: 1, currency: 'EUR' },
      { account: bob, amount: 2, currency: 'EUR' },
    ];
    expect((await api.post('/v1/transactions', { postings, reference: `wave-${wave}` })).status).toBe(201);
  }
  await listsCaughtUp(db);
  decided = await journalOrder();
});

async function journalOrder() {
  const journal = new MongoJournal(service.db);
  const blocks = (await Promise.all([0, 1].map((book) => journal.read(book, 1, 10_000)))).flat();
  return blocks
    .flatMap(({ book, height, at, entries }) => entries.map(({ id }, index) => ({ id, at, book, height, index })))
    .sort((a, b) => b.at - a.at || b.book - a.book || b.height - a.height || b.index - a.index);
}

const idsOf = (items: readonly { id: string }[]) => items.map(({ id }) => id);

describe('the statement of an account', () => {
  let lines: Entry[];
  beforeAll(async () => {
    lines = (await service.api.read<List<Entry>>(`/v1/accounts/${books[0]!.alice}/entries?limit=100`)).data;
  });

  it('has a line for each posting, several of one block among them', async () => {
    expect(lines).toHaveLength(WAVES * Math.ceil(PER_WAVE / 2) + WAVES / 2);
    const blocks = new Set(lines.map(({ height }) => height));
    expect(blocks.size).toBeGreaterThan(2);
    expect(blocks.size).toBeLessThan(lines.length);
  });

  it('runs from zero to the balance of now, newest first', async () => {
    const { posted } = await service.api.read<Balance>(`/v1/accounts/${books[0]!.alice}/balance`);
    expect(lines[0]!.posted).toBe(posted);
    for (const [i, { posted, amount }] of lines.entries()) {
      expect(BigInt(posted) - BigInt(amount)).toBe(BigInt(lines[i + 1]?.posted ?? 0));
    }
    const places = lines.map(({ id }) => id.split('.').map(Number) as [number, number]);
    expect(places).toEqual([...places].sort(([a, i], [b, j]) => b - a || j - i));
  });

  it.each([1, 2, 3, 7, 100])('is the same in pages of %i, backwards and forwards', async (limit) => {
    const path = `/v1/accounts/${books[0]!.alice}/entries`;
    const older = await service.api.walkOlder<Entry>(path, limit);
    expect(older.items).toEqual(lines);
    expect(older.pages).toBe(Math.ceil(lines.length / limit));
    const newer = await service.api.walkNewer<Entry>(path, limit, lines.at(-1)!.id);
    expect(newer.items).toEqual(lines.slice(0, -1));
    expect(newer.pages).toBe(Math.ceil((lines.length - 1) / limit));
  });

  it('is empty for an account that was never posted to', async () => {
    await service.api.createAccounts('idle');
    const list = await service.api.read<List<Entry>>('/v1/accounts/idle/entries');
    expect(list).toEqual({ object: 'list', data: [], has_more: false, url: '/v1/accounts/idle/entries' });
  });
});

describe('the list of transactions', () => {
  it('has every entry of both books, merged by time', async () => {
    const { data } = await service.api.read<List<Transaction>>('/v1/transactions?limit=100');
    expect(idsOf(data)).toEqual(idsOf(decided));
    expect(new Set(data.map(({ book }) => book))).toEqual(new Set([0, 1]));
    const changes = data.filter(({ book }, i) => i > 0 && book !== data[i - 1]!.book).length;
    expect(changes).toBeGreaterThan(WAVES);
    const count = (part: Partial<Transaction>) =>
      data.filter((one) => Object.entries(part).every(([name, value]) => one[name as keyof Transaction] === value))
        .length;
    expect(count({ kind: 'payment', status: 'posted' })).toBe(WAVES * PER_WAVE);
    expect(count({ kind: 'payment', status: 'rejected', rejection_reason: 'insufficient_funds' })).toBe(WAVES);
    expect(count({ kind: 'transaction', status: 'posted' })).toBe(WAVES);
  });

  it.each([1, 4, 10])('is the same in pages of %i, backwards and forwards', async (limit) => {
    const older = await service.api.walkOlder<Transaction>('/v1/transactions', limit);
    expect(idsOf(older.items)).toEqual(idsOf(decided));
    const newer = await service.api.walkNewer<Transaction>('/v1/transactions', limit, decided.at(-1)!.id);
    expect(idsOf(newer.items)).toEqual(idsOf(decided.slice(0, -1)));
  });
});

describe('the list of payments', () => {
  let all: Payment[];
  beforeAll(async () => {
    all = (await service.api.read<List<Payment>>('/v1/payments?limit=100')).data;
  });

  it('has what the journal decided, newest first, each as it is read by itself', async () => {
    expect(all).toHaveLength(WAVES * (PER_WAVE + 1));
    const place = ({ created_at, id }: Payment) => `${created_at} ${id}`;
    expect(all.map(place)).toEqual(all.map(place).sort().reverse());
    for (const payment of all.slice(0, 5)) {
      expect(await service.api.read<Payment>(`/v1/payments/${payment.id}`)).toEqual(payment);
    }
  });

  type Filter = [name: string, query: () => Record<string, string>, keep: (payment: Payment) => boolean];
  const middle = () => all[Math.floor(all.length / 2)]!.created_at;
  const FILTERS: Filter[] = [
    ['posted', () => ({ status: 'posted' }), ({ status }) => status === 'posted'],
    ['rejected', () => ({ status: 'rejected' }), ({ status }) => status === 'rejected'],
    ['of a source', () => ({ account: books[0]!.bank }), ({ source }) => source === books[0]!.bank],
    [
      'of an account on either side',
      () => ({ account: books[1]!.alice }),
      ({ source, destination }) => [source, destination].includes(books[1]!.alice),
    ],
    ['of a reference', () => ({ reference: 'wave-2' }), ({ reference }) => reference === 'wave-2'],
    ['from a time on', () => ({ 'created[gte]': middle() }), ({ created_at }) => created_at >= middle()],
    ['up to a time', () => ({ 'created[lte]': middle() }), ({ created_at }) => created_at <= middle()],
    [
      'at one time',
      () => ({ 'created[gte]': middle(), 'created[lte]': middle() }),
      ({ created_at }) => created_at === middle(),
    ],
    [
      'by everything at once',
      () => ({ status: 'posted', account: books[0]!.alice, reference: 'wave-1', 'created[lte]': all[0]!.created_at }),
      ({ status, destination, reference }) =>
        status === 'posted' && destination === books[0]!.alice && reference === 'wave-1',
    ],
  ];

  it.each(FILTERS)('is filtered: %s; and paged in both directions', async (_, query, keep) => {
    const expected = all.filter(keep);
    expect(expected.length).toBeGreaterThan(0);
    expect(expected.length).toBeLessThan(all.length);
    const path = `/v1/payments?${new URLSearchParams(query())}`;
    for (const limit of [2, 100]) {
      expect((await service.api.walkOlder<Payment>(path, limit)).items).toEqual(expected);
      const newer = await service.api.walkNewer<Payment>(path, limit, expected.at(-1)!.id);
      expect(newer.items).toEqual(expected.slice(0, -1));
    }
  });

  it.each([
    ['of an unknown account', { account: 'nobody' }],
    ['of an unknown reference', { reference: 'none' }],
    ['before there were any', { 'created[lte]': '2020-01-01T00:00:00Z' }],
  ])('is empty: %s', async (_, query) => {
    const { data } = await service.api.read<List<Payment>>(`/v1/payments?${new URLSearchParams(query)}`);
    expect(data).toEqual([]);
  });

  it('is rebuilt from the journal, equal, after it was lost', async () => {
    await service.db.collection('payments').drop();
    await service.db.collection('checkpoints').drop();
    await listsCaughtUp(service.db);
    expect((await service.api.read<List<Payment>>('/v1/payments?limit=100')).data).toEqual(all);
    const indexes = await service.db.collection('payments').indexes();
    expect(indexes.map(({ name }) => name)).toContain('account_newest');
    const headers = { authorization: `Bearer ${service.environment.BOOTSTRAP_API_KEY}` };
    const metrics = await fetch(`${service.api.address}/metrics`, { headers });
    expect(await metrics.text()).toMatch(/^kvitt_payments_view_lag_seconds \d/m);
  });
});

describe('the list of accounts', () => {
  it.each([1, 3, 100])('is the same in pages of %i, backwards and forwards', async (limit) => {
    const all = (await service.api.read<List<Account>>('/v1/accounts?limit=100')).data;
    const created = all.map(({ created_at }) => created_at);
    expect(created).toEqual([...created].sort().reverse());
    expect((await service.api.walkOlder<Account>('/v1/accounts', limit)).items).toEqual(all);
    expect((await service.api.walkNewer<Account>('/v1/accounts', limit, all.at(-1)!.id)).items).toEqual(
      all.slice(0, -1),
    );
  });
});

describe('a balance in the past', () => {
  const at = (account: string, time: string) =>
    service.api.read<Balance>(`/v1/accounts/${account}/balance?at=${encodeURIComponent(time)}`);

  it('is that of the last posting by then: before, between, at and after', async () => {
    const { alice } = books[1]!;
    const { data: lines } = await service.api.read<List<Entry>>(`/v1/accounts/${alice}/entries?limit=100`);
    const times = [...new Set(lines.map(({ created_at }) => Date.parse(created_at)))];
    expect(times.length).toBeGreaterThan(2);
    for (const time of [...times, ...times.map((one) => one - 1), Date.now() + 60_000]) {
      const expected = lines.find(({ created_at }) => Date.parse(created_at) <= time);
      const balance = await at(alice, new Date(time).toISOString());
      expect(balance).toMatchObject({
        posted: expected?.posted ?? '0',
        available: expected?.posted ?? '0',
        height: expected?.height ?? 0,
        as_of: new Date(time).toISOString(),
      });
    }
  });

  it('was zero before there was anything, also when the time is given in another zone', async () => {
    const { alice } = books[0]!;
    expect(await at(alice, '2020-01-01T02:00:00+02:00')).toMatchObject({
      posted: '0',
      height: 0,
      as_of: '2020-01-01T00:00:00.000Z',
    });
  });
});

describe('the trial balance', () => {
  const read = async () => (await service.api.read<List<TrialBalanceRow>>('/v1/trial_balance')).data;

  it('sums to zero at every moment while payments are being posted in both books', async () => {
    let posting = true;
    const seen: TrialBalanceRow[] = [];
    const poster = async (worker: number) => {
      for (let i = 1; posting; i++) {
        const { bank, alice } = books[worker % 2]!;
        await service.api.pay(bank, alice, i);
      }
    };
    const posters = Promise.all(Array.from({ length: 8 }, (_, worker) => poster(worker)));
    const moments = () => new Set(seen.map(({ credit }) => credit)).size;
    // On a busy machine several reads may see the same moment.
    for (let i = 0; i < 15 || (i < 300 && moments() <= 5); i++) seen.push(...(await read()));
    posting = false;
    await posters;
    expect(seen.every(({ currency, sum }) => currency === 'EUR' && sum === '0')).toBe(true);
    expect(moments()).toBeGreaterThan(5);
    const [last] = await read();
    const { data } = await service.api.read<List<Account>>('/v1/accounts?limit=100');
    const balances = await Promise.all(data.map(({ id }) => service.api.read<Balance>(`/v1/accounts/${id}/balance`)));
    const sumOf = (sign: number) =>
      balances.reduce((sum, { posted }) => (Number(posted) * sign > 0 ? sum + BigInt(posted) : sum), 0n);
    expect(last).toEqual({
      object: 'trial_balance_row',
      currency: 'EUR',
      debit: String(sumOf(-1)),
      credit: String(sumOf(1)),
      sum: '0',
      accounts: data.length,
    });
  });
});

it('tells how far each book goes, as the journal has it', async () => {
  const { data } = await service.api.read<List<Book>>('/v1/books');
  const tips = await Promise.all([0, 1].map((book) => new MongoJournal(service.db).tip(book)));
  expect(data).toEqual(
    tips.map((tip) => ({
      object: 'book',
      book: tip!.book,
      height: tip!.height,
      hash: Buffer.from(tip!.hash).toString('hex'),
      term: tip!.term,
      at: new Date(tip!.at).toISOString(),
      leader: null,
    })),
  );
});

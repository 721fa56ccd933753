import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { MongoAudit } from '../../src/mongo/audit.ts';
import { verify } from '../../src/verification/verify.ts';
import {
  type Account,
  type Balance,
  createAccountsInBook,
  type List,
  type Payment,
  type Transaction,
} from './support/api.ts';
import { listsCaughtUp, useService } from './support/service.ts';

const CALLERS = 50;
const service = useService({ BOOKS: '2' });
/** Of book 0 and of book 1. */
let alice: string;
let bob: string;
let carol: string;

beforeAll(async () => {
  const { api } = service;
  await api.post('/v1/accounts', { id: 'world:EUR', currency: 'EUR' });
  const [first] = await createAccountsInBook(api, 0, 'alice', 1);
  const [second, third] = await createAccountsInBook(api, 1, 'bob', 2);
  [alice, bob, carol] = [first!, second!, third!];
  await api.pay('world:EUR', alice, 100_000);
});

const authorize = async (amount: number, more: object = {}) => {
  const request = { source: alice, destination: bob, amount, currency: 'EUR', capture: 'manual', ...more };
  const { status, body } = await service.api.post<Payment>('/v1/payments', request);
  expect(status).toBe(201);
  return body;
};
const follow = (payment: Payment, what: string, body: object = {}, key?: string) =>
  service.api.post<Payment & { code?: string }>(`/v1/payments/${payment.id}/${what}`, body, key);
const balanceOf = async (account: string) => {
  const { posted, held } = await service.api.read<Balance>(`/v1/accounts/${account}/balance`);
  return [Number(posted), Number(held)];
};

describe('a payment with manual capture', () => {
  it('is authorised, captured in parts, refunded in parts, and says at each step how it stands', async () => {
    const [before] = await balanceOf(alice);
    const payment = await authorize(1_000);
    expect(payment).toMatchObject({
      status: 'authorized',
      capture: 'manual',
      amount_held: '1000',
      amount_captured: '0',
    });
    expect(await balanceOf(alice)).toEqual([before, 1_000]);
    expect((await follow(payment, 'capture', { amount: 300 })).body).toMatchObject({
      status: 'authorized',
      amount_held: '700',
      amount_captured: '300',
    });
    expect((await follow(payment, 'capture', { amount: 200, final: true })).body).toMatchObject({
      status: 'captured',
      amount_held: '0',
      amount_captured: '500',
    });
    expect(await balanceOf(alice)).toEqual([before! - 500, 0]);
    expect((await follow(payment, 'refund', { amount: 100, reference: 'damaged' })).body.amount_refunded).toBe('100');
    expect((await follow(payment, 'refund', { amount: 401 })).body.code).toBe('refund_exceeds_captured');
    expect((await follow(payment, 'refund')).body).toMatchObject({ status: 'refunded', amount_refunded: '500' });
    expect(await balanceOf(alice)).toEqual([before, 0]);
    const now = await service.api.read<Payment>(`/v1/payments/${payment.id}`);
    expect(now).toMatchObject({ status: 'refunded', amount: '1000', amount_captured: '500' });
    await listsCaughtUp(service.db);
    const { data } = await service.api.read<List<Payment>>('/v1/payments?status=refunded');
    expect(data.find(({ id }) => id === payment.id)).toEqual(now);
  });

  it('has a list of the transactions that made it what it is, oldest first and in pages', async () => {
    const payment = await authorize(1_000);
    await follow(payment, 'capture', { amount: 400 });
    await follow(payment, 'capture', { amount: 9_999 });
    await follow(payment, 'refund', { amount: 150, reference: 'damaged' });
    await follow(payment, 'cancel');
    const path = `/v1/payments/${payment.id}/transactions`;
    const { data, has_more } = await service.api.read<List<Transaction>>(path);
    expect(has_more).toBe(false);
    expect(data.map(({ kind, about, status }) => [kind, about, status])).toEqual([
      ['payment', null, 'posted'],
      ['capture', payment.id, 'posted'],
      ['refund', payment.id, 'posted'],
      ['cancel', payment.id, 'posted'],
    ]);
    expect(data[0]!.id).toBe(payment.transaction_id);
    expect(data[2]).toEqual(await service.api.read<Transaction>(`/v1/transactions/${data[2]!.id}`));
    const ids = data.map(({ id }) => id);
    const { items, pages } = await service.api.walkOlder<Transaction>(path, 3);
    expect([items.map(({ id }) => id), pages]).toEqual([ids, 2]);
    const before = await service.api.read<List<Transaction>>(`${path}?limit=2&ending_before=${ids[3]}`);
    expect([before.data.map(({ id }) => id), before.has_more]).toEqual([ids.slice(1, 3), true]);
    const wrong = await service.api.get<{ code: string }>(`${path}?starting_after=txn_1`);
    expect([wrong.status, wrong.body.code]).toEqual([400, 'invalid_cursor']);
    const paid = await service.api.pay(alice, bob, 5);
    const own = await service.api.read<List<Transaction>>(`/v1/payments/${paid.id}/transactions`);
    expect(own.data.map(({ id }) => id)).toEqual([paid.transaction_id]);
    expect((await service.api.get(`/v1/payments/pay_1/transactions`)).status).toBe(404);
  });

  it('has no refund in that list that another book has rejected, and all others on their pages', async () => {
    const [payee] = await createAccountsInBook(service.api, 1, `lister-${randomUUID()}`, 1);
    const payment = await authorize(100, { destination: payee });
    for (const amount of [10, 20]) await follow(payment, 'capture', { amount });
    await service.api.pay(payee!, 'world:EUR', 25);
    for (let i = 0; i < 3; i++)
      expect((await follow(payment, 'refund', { amount: 6 })).body.code).toBe('insufficient_funds');
    await follow(payment, 'refund', { amount: 5 });
    const path = `/v1/payments/${payment.id}/transactions`;
    const { items, pages } = await service.api.walkOlder<Transaction>(path, 2);
    expect([items.map(({ kind }) => kind), pages]).toEqual([['payment', 'capture', 'capture', 'refund'], 2]);
    const { data, has_more } = await service.api.read<List<Transaction>>(
      `${path}?limit=2&ending_before=${items[3]!.id}`,
    );
    expect([data.map(({ id }) => id), has_more]).toEqual([items.slice(1, 3).map(({ id }) => id), true]);
    const first = await service.api.read<List<Transaction>>(`${path}?ending_before=${items[1]!.id}`);
    expect([first.data.map(({ id }) => id), first.has_more]).toEqual([[items[0]!.id], false]);
    expect((await service.api.read<List<Transaction>>(`${path}?ending_before=${items[0]!.id}`)).data).toEqual([]);
  });

  it('answers the same again to the same key, and refuses the key for something else', async () => {
    const payment = await authorize(100);
    const key = randomUUID();
    const first = await follow(payment, 'capture', {}, key);
    const again = await follow(payment, 'capture', {}, key);
    expect([first.status, again.status, again.text]).toEqual([200, 200, first.text]);
    expect(again.headers.get('idempotent-replayed')).toBe('true');
    expect((await follow(payment, 'capture', { amount: 1 }, key)).body.code).toBe('idempotency_key_reused');
    expect((await follow(payment, 'refund', {}, key)).body.code).toBe('idempotency_key_reused');
  });

  it.each([
    ['capture', 'nothing_held'],
    ['cancel', 'nothing_held'],
    ['refund', 'refund_exceeds_captured'],
  ])('has one effect, whoever races to %s it', async (what, refusal) => {
    const payment = await authorize(700);
    if (what === 'refund') await follow(payment, 'capture');
    const answers = await Promise.all(Array.from({ length: CALLERS }, () => follow(payment, what)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(new Set(answers.flatMap(({ body }) => body.code ?? []))).toEqual(new Set([refusal]));
  });

  it('is released within a second of its expiry, and cannot be captured from then on', async () => {
    const [, held] = await balanceOf(alice);
    const expiresAt = Date.now() + 5_000;
    const payment = await authorize(50, { expires_at: new Date(expiresAt).toISOString() });
    expect(payment.expires_at).toBe(new Date(expiresAt).toISOString());
    await expect
      .poll(async () => (await service.api.read<Payment>(`/v1/payments/${payment.id}`)).status)
      .toBe('expired');
    const now = await service.api.read<Payment>(`/v1/payments/${payment.id}`);
    expect(Date.parse(now.updated_at) - expiresAt).toBeGreaterThanOrEqual(0);
    expect((await follow(payment, 'capture')).body.code).toBe('nothing_held');
    expect((await balanceOf(alice))[1]).toBe(held);
  });

  it.each([
    ['an expiry without a hold', { capture: 'automatic', expires_at: '2030-01-01T00:00:00Z' }, '/expires_at'],
    ['an unknown way of capture', { capture: 'later' }, '/capture'],
    ['neither a destination nor splits', { destination: undefined }, '/destination'],
  ])('is refused with %s', async (_, more, pointer) => {
    const request = { source: alice, destination: bob, amount: 5, currency: 'EUR', ...more };
    const { status, body } = await service.api.post<{ errors: { pointer: string }[] }>('/v1/payments', request);
    expect([status, body.errors[0]?.pointer]).toEqual([400, pointer]);
  });

  it('is captured and refunded as a whole when nothing else is said, with no body at all', async () => {
    const payment = await authorize(70);
    const bare = (what: string) => {
      const headers = { 'idempotency-key': randomUUID() };
      return service.api.send<Payment>('POST', `/v1/payments/${payment.id}/${what}`, { headers });
    };
    expect((await bare('capture')).body).toMatchObject({ status: 'captured', amount_captured: '70' });
    expect((await bare('refund')).body).toMatchObject({ status: 'refunded', amount_refunded: '70' });
    expect((await bare('cancel')).status).toBe(422);
  });

  it('that does not exist is not found', async () => {
    const missing = { id: 'pay_00000000-0000-7000-8000-000000000000' } as Payment;
    expect((await follow(missing, 'capture')).body.code).toBe('not_found');
  });
});

describe('a payment to several destinations', () => {
  it('is divided, captured and refunded in proportion, to the last unit', async () => {
    const before = await Promise.all([alice, bob, carol].map(balanceOf));
    const splits = [
      { destination: bob, basis_points: 3_333 },
      { destination: carol, rest: true },
    ];
    const payment = await authorize(1_001, { destination: undefined, splits });
    expect(payment).toMatchObject({
      destination: null,
      splits: [
        { destination: bob, amount: '333' },
        { destination: carol, amount: '668' },
      ],
    });
    await follow(payment, 'capture', { amount: 500 });
    await follow(payment, 'capture');
    const paid = await Promise.all([bob, carol].map(balanceOf));
    expect(paid.map(([posted], i) => posted! - before[i + 1]![0]!)).toEqual([333, 668]);
    await follow(payment, 'refund', { amount: 333 });
    expect((await follow(payment, 'refund')).body).toMatchObject({ status: 'refunded' });
    expect(await Promise.all([alice, bob, carol].map(balanceOf))).toEqual(before);
  });

  it('is refused when the splits do not make up the amount', async () => {
    const splits = [{ destination: bob, amount: 3 }];
    const request = { source: alice, splits, amount: 5, currency: 'EUR' };
    const { status, body } = await service.api.post<{ errors: { pointer: string }[] }>('/v1/payments', request);
    expect([status, body.errors[0]?.pointer]).toEqual([400, '/splits']);
  });
});

describe('a transaction', () => {
  it('is reversed once, as a whole', async () => {
    const before = await Promise.all([alice, bob].map(balanceOf));
    const postings = [
      { account: alice, amount: -40, currency: 'EUR' },
      { account: bob, amount: 40, currency: 'EUR' },
    ];
    const { body: made } = await service.api.post<Transaction>('/v1/transactions', { postings });
    const answers = await Promise.all(
      Array.from({ length: CALLERS }, () =>
        service.api.post<Transaction & { code?: string }>(`/v1/transactions/${made.id}/reverse`, {}),
      ),
    );
    const [done] = answers.filter(({ status }) => status === 201);
    expect(done?.body).toMatchObject({ kind: 'reversal', status: 'posted', about: made.id });
    expect(answers.filter(({ body }) => body.code === 'already_reversed')).toHaveLength(CALLERS - 1);
    expect(await Promise.all([alice, bob].map(balanceOf))).toEqual(before);
  });

  it('of a payment is refunded, not reversed', async () => {
    const payment = await authorize(1);
    const { body } = await service.api.post<{ code: string }>(`/v1/transactions/${payment.transaction_id}/reverse`, {});
    expect(body.code).toBe('not_reversible');
  });
});

describe.each([
  ['lower', () => [alice, bob] as const],
  ['higher', () => [bob, alice] as const],
])('what the %s of two books has paid to an account that has nothing left', (_, accounts) => {
  const amount = 20;
  /** Whoever pays, with enough for it, and a new account of the other book. */
  const someone = async () => {
    const { api } = service;
    const [payer, other] = accounts();
    await api.pay('world:EUR', payer, amount);
    const { book } = await api.read<Account>(`/v1/accounts/${other}`);
    const [payee] = await createAccountsInBook(api, book, `payee-${randomUUID()}`, 1);
    return [payer, payee!] as const;
  };

  it('is not refunded again for that reason, in a dry run, at once, later, and when it is looked up', async () => {
    const payment = await service.api.pay(...(await someone()), amount);
    expect((await follow(payment, 'refund')).status).toBe(200);
    const key = randomUUID();
    const dry = await follow(payment, 'refund?dry_run=true');
    const answers = [dry, await follow(payment, 'refund', {}, key), await follow(payment, 'refund', {}, key)];
    expect(answers.map(({ body }) => body.code)).toEqual(answers.map(() => 'refund_exceeds_captured'));
    const found = await service.api.read<Transaction>(`/v1/transactions/${answers[1]!.body.transaction_id}`);
    expect(found).toMatchObject({ rejection_reason: 'refund_exceeds_captured', about: payment.id });
  });

  it('is not refunded for what the account lacks when it could be', async () => {
    const [payer, payee] = await someone();
    const payment = await service.api.pay(payer, payee, amount);
    await service.api.pay(payee, 'world:EUR', amount);
    expect((await follow(payment, 'refund')).body.code).toBe('insufficient_funds');
  });

  it('is not reversed again for that reason', async () => {
    const [payer, payee] = await someone();
    const postings = [
      { account: payer, amount: -amount, currency: 'EUR' },
      { account: payee, amount, currency: 'EUR' },
    ];
    const { body } = await service.api.post<Transaction>('/v1/transactions', { postings });
    const reverse = () => service.api.post<{ code?: string }>(`/v1/transactions/${body.id}/reverse`, {});
    expect((await reverse()).status).toBe(201);
    expect((await reverse()).body.code).toBe('already_reversed');
  });
});

describe('an account', () => {
  it('is frozen, opened again, limited and closed, in the order of its book', async () => {
    const { api } = service;
    const [account] = await createAccountsInBook(api, 1, 'changing', 1);
    const change = (what: string) => api.post<Account & { code?: string }>(`/v1/accounts/${account}/${what}`, {});
    const pay = async (amount: number) => {
      const request = { source: account, destination: 'world:EUR', amount, currency: 'EUR' };
      return (await api.post<{ code?: string; status: string }>('/v1/payments', request)).body;
    };
    await api.pay('world:EUR', account!, 10);
    expect((await change('freeze')).body.status).toBe('frozen');
    expect((await pay(1)).code).toBe('account_frozen');
    expect((await change('close')).body.code).toBe('account_not_empty');
    expect((await change('unfreeze')).body.status).toBe('open');
    const limits = { headers: { 'content-type': 'application/json' }, body: JSON.stringify({ min_balance: -5 }) };
    expect((await api.send<Account>('PUT', `/v1/accounts/${account}/limits`, limits)).body.min_balance).toBe('-5');
    expect((await pay(15)).status).toBe('posted');
    expect((await pay(1)).code).toBe('insufficient_funds');
    expect(await api.read<Account>(`/v1/accounts/${account}`)).toMatchObject({ status: 'open', min_balance: '-5' });
    await api.pay('world:EUR', account!, 5);
    expect((await change('close')).body.status).toBe('closed');
    expect((await pay(1)).code).toBe('account_closed');
  });
});

it('all of it leaves books that verify', async () => {
  await listsCaughtUp(service.db);
  const { breaks } = await verify(new MongoAudit(service.db));
  expect(breaks).toEqual([]);
});

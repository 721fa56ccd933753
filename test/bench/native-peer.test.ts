import { randomUUID } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildNativeApp } from '../../bench/native/app.ts';
import { NativePayments } from '../../bench/native/payments.ts';
import { paymentWork } from '../../bench/native/work.ts';
import { generateApiKey } from '../../src/http/auth.ts';
import { createLog } from '../../src/log.ts';
import { Metrics } from '../../src/metrics.ts';
import { paymentCommand } from '../../src/payments/commands.ts';
import {
  type Answer,
  Api,
  type Balance,
  type Entry,
  type List,
  type Payment,
  type Problem,
  type TrialBalanceRow,
} from '../service/support/api.ts';
import { useDatabase } from '../support/database.ts';
import { withPlans } from '../support/plans.ts';

type Paid = Payment & { code?: string };

const FUNDS = 1_000;
const database = useDatabase();
/** Two that are the peer's processes to each other: only the database is between them. */
let apps: FastifyInstance[];
let api: Api;
let other: Api;

beforeAll(async () => {
  const apiKey = generateApiKey();
  const start = () => buildNativeApp(database.db, { apiKey, metrics: new Metrics(), log: createLog('error') });
  apps = [await start(), await start()];
  const [one, two] = await Promise.all(apps.map((app) => app.listen({ host: '127.0.0.1', port: 0 })));
  api = new Api(one!, apiKey);
  other = new Api(two!, apiKey);
  await api.createAccounts('world:EUR');
});
afterAll(() => Promise.all(apps.map((app) => app.close())));

/** New wallets, filled. */
async function wallets(count: number): Promise<string[]> {
  const ids = Array.from({ length: count }, () => `user:${randomUUID()}`);
  await Promise.all(ids.map((id) => api.createAccounts(id)));
  await Promise.all(ids.map((id) => api.pay('world:EUR', id, FUNDS)));
  return ids;
}

const balanceOf = async (account: string) => {
  const { posted, held } = await api.read<Balance>(`/v1/accounts/${account}/balance`);
  return [Number(posted), Number(held)];
};
const pay = (target: Api, source: string, destination: string, amount: number, key?: string, more: object = {}) =>
  target.post<Paid>('/v1/payments', { source, destination, amount, currency: 'EUR', ...more }, key);
const follow = (target: Api, { id }: Payment, what: string, body: object = {}, key?: string) =>
  target.post<Paid>(`/v1/payments/${id}/${what}`, body, key);
const countBy = (answers: readonly Answer<unknown>[], status: number) =>
  answers.filter((answer) => answer.status === status).length;

describe('the peer on native transactions', () => {
  it('loses and doubles no money when everybody pays the same few accounts, in two processes', async () => {
    const [merchant, ...users] = (await wallets(5)) as [string, ...string[]];
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, i) => {
        const user = users[i % users.length]!;
        const [from, to] = i % 3 === 0 ? [merchant, user] : [user, merchant];
        return pay(i % 2 === 0 ? api : other, from, to, 90, undefined, { reference: `r${i}` });
      }),
    );
    const made = answers.filter(({ status }) => status === 201).map(({ body }) => body);
    expect(made.length + countBy(answers, 422)).toBe(answers.length);
    for (const account of [merchant, ...users]) {
      const moved = made.reduce((sum, { source, destination }) => {
        return sum + (destination === account ? 90 : 0) - (source === account ? 90 : 0);
      }, 0);
      expect(await balanceOf(account)).toEqual([FUNDS + moved, 0]);
      expect(moved).toBeGreaterThanOrEqual(-FUNDS);
    }
    const { data } = await api.read<List<TrialBalanceRow>>('/v1/trial_balance');
    expect(data).toMatchObject([{ currency: 'EUR', sum: '0' }]);
    const statement = await api.walkOlder<Entry>(`/v1/accounts/${merchant}/entries`, 7);
    expect(
      statement.items
        .slice(0, -1)
        .map(({ transaction_id }) => transaction_id)
        .sort(),
    ).toEqual(made.map(({ transaction_id }) => transaction_id).sort());
    const sum = statement.items.reduce((all, { amount }) => all + Number(amount), 0);
    expect((await balanceOf(merchant))[0]).toBe(sum);
  });

  it('carries out a key once, whoever sends it how often at the same time', async () => {
    const [from, to] = (await wallets(2)) as [string, string];
    const key = randomUUID();
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) => pay(i % 2 === 0 ? api : other, from, to, 10, key)),
    );
    expect(countBy(answers, 201)).toBe(20);
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    expect(answers.filter(({ headers }) => headers.get('idempotent-replayed') === 'true')).toHaveLength(19);
    expect(await balanceOf(from)).toEqual([FUNDS - 10, 0]);
    const another = await pay(api, from, to, 11, key);
    expect([another.status, another.body.code]).toEqual([422, 'idempotency_key_reused']);
  });

  it('declines what is not there, for ever under its key, and keeps the payment as rejected', async () => {
    const [from, to] = (await wallets(2)) as [string, string];
    const answers = await Promise.all(Array.from({ length: 10 }, () => pay(api, from, to, 300)));
    expect([countBy(answers, 201), countBy(answers, 422)]).toEqual([3, 7]);
    const key = randomUUID();
    const declined = await pay(api, from, to, 101, key);
    expect([declined.status, declined.body.code]).toEqual([422, 'insufficient_funds']);
    await api.pay('world:EUR', from, FUNDS);
    const again = await pay(other, from, to, 101, key);
    expect([again.text, again.headers.get('idempotent-replayed')]).toEqual([declined.text, 'true']);
    const payments = await api.read<List<Payment>>(`/v1/payments?account=${from}&status=rejected&limit=100`);
    expect(payments.data).toHaveLength(8);
    expect(payments.data[0]).toMatchObject({ amount: '101', rejection_reason: 'insufficient_funds' });
    expect(await balanceOf(from)).toEqual([FUNDS - 900 + FUNDS, 0]);
    const unknown = await pay(api, from, 'nobody', 1);
    expect([unknown.status, unknown.body.code]).toEqual([422, 'account_not_found']);
  });

  it('holds, captures and refunds, each once', async () => {
    const [from, to] = (await wallets(2)) as [string, string];
    const { body: held } = await pay(api, from, to, 800, undefined, { capture: 'manual' });
    expect(held).toMatchObject({ status: 'authorized', amount_held: '800', amount_captured: '0' });
    expect(await balanceOf(from)).toEqual([FUNDS, 800]);
    expect((await pay(api, from, to, 300)).body.code).toBe('insufficient_funds');
    const key = randomUUID();
    const captures = await Promise.all(
      [api, other, api, other].map((target) => follow(target, held, 'capture', {}, key)),
    );
    expect(new Set(captures.map(({ text }) => text)).size).toBe(1);
    expect(captures[0]!.body).toMatchObject({ status: 'captured', amount_held: '0', amount_captured: '800' });
    expect((await follow(api, held, 'capture')).body.code).toBe('nothing_held');
    const refunds = await Promise.all(
      Array.from({ length: 6 }, (_, i) => follow(i % 2 ? api : other, held, 'refund', { amount: 300 })),
    );
    expect([countBy(refunds, 200), countBy(refunds, 422)]).toEqual([2, 4]);
    expect(refunds.find(({ status }) => status === 422)!.body.code).toBe('refund_exceeds_captured');
    expect((await follow(api, held, 'refund')).body).toMatchObject({ status: 'refunded', amount_refunded: '800' });
    expect([await balanceOf(from), await balanceOf(to)]).toEqual([
      [FUNDS, 0],
      [FUNDS, 0],
    ]);
    const kinds = async (account: string) =>
      (await api.read<List<Entry>>(`/v1/accounts/${account}/entries`)).data.map(({ kind, amount }) => [kind, amount]);
    expect(await kinds(to)).toEqual([
      ['refund', '-200'],
      ['refund', '-300'],
      ['refund', '-300'],
      ['capture', '800'],
      ['payment', '1000'],
    ]);
    expect((await kinds(from)).slice(3, 5)).toEqual([
      ['capture', '-800'],
      ['payment', '0'],
    ]);
    const canceled = (await pay(api, from, to, 5, undefined, { capture: 'manual' })).body;
    expect((await follow(api, canceled, 'cancel')).body).toMatchObject({ status: 'canceled', amount_held: '0' });
    expect(await balanceOf(from)).toEqual([FUNDS, 0]);
  });

  it('lists each entry and each payment once, from page to page in both directions', async () => {
    const [from, to] = (await wallets(2)) as [string, string];
    const payments = Array.from({ length: 45 }, (_, i) => ({
      ...{ source: from, destination: to, amount: 1, currency: 'EUR', reference: `r${i}` },
      idempotency_key: randomUUID(),
    }));
    const bulk = await api.post<List<{ status: number }>>('/v1/payments/bulk', { payments });
    expect(bulk.body.data.map(({ status }) => status)).toEqual(payments.map(() => 201));
    const path = `/v1/accounts/${to}/entries`;
    const older = await api.walkOlder<Entry>(path, 10);
    expect([older.items.length, older.pages]).toEqual([46, 5]);
    expect(new Set(older.items.map(({ reference }) => reference)).size).toBe(46);
    const newer = await api.walkNewer<Entry>(path, 10, older.items.at(-1)!.id);
    expect(newer.items).toEqual(older.items.slice(0, -1));
    const listed = await api.walkOlder<Payment>(`/v1/payments?account=${to}`, 10);
    expect(listed.items.map(({ transaction_id }) => transaction_id)).toEqual(
      older.items.map(({ transaction_id }) => transaction_id),
    );
    expect(await api.read(`/v1/payments/${listed.items[0]!.id}`)).toEqual(listed.items[0]);
    const asked = await api.post<{ data: Balance[]; unknown: string[] }>('/v1/balances/query', {
      accounts: [to, 'nobody', from],
    });
    expect(asked.body.data.map(({ posted }) => posted)).toEqual([String(FUNDS + 45), String(FUNDS - 45)]);
    expect(asked.body.unknown).toEqual(['nobody']);
  });

  it('does not carry out again what stands by an attempt of which nothing was heard', async () => {
    const [from, to] = (await wallets(2)) as [string, string];
    const peer = new NativePayments(database.db);
    const request = { source: from, destination: to, amount: 600n, currency: 'EUR' };
    const work = paymentWork(paymentCommand(request, { client: 'shop', key: randomUUID() }));
    const kept = [await peer.transactions.write(work), await peer.transactions.write(work)];
    expect(kept.map((document) => document?.rejection ?? document?._id)).toEqual([
      work.document._id,
      work.document._id,
    ]);
    expect([await balanceOf(from), await balanceOf(to)]).toEqual([
      [FUNDS - 600, 0],
      [FUNDS + 600, 0],
    ]);
  });

  it('reads by an index, and sorts nothing', async () => {
    const [from, to] = (await wallets(2)) as [string, string];
    const payment = await api.pay(from, to, 1);
    const { plans } = await withPlans(database.name, async (db) => {
      const peer = new NativePayments(db);
      await peer.statement(to, { limit: 10 });
      await peer.listPayments({ account: to }, { limit: 10, startingAfter: payment.id });
      await peer.listPayments({}, { limit: 10 });
      await peer.getPayment(payment.id);
      await peer.trialBalance();
    });
    expect(plans).toHaveLength(6);
    for (const { scans, sorted } of plans.slice(0, -1)) expect([scans, sorted]).toEqual([0, 0]);
    for (const { docsExamined } of plans.slice(0, 3)) expect(docsExamined).toBeLessThan(5);
    // It sorts its currencies.
    expect(plans.at(-1)).toMatchObject({
      scans: 0,
      docsExamined: await database.db.collection('ledger').countDocuments({ _id: /^account/ as never }),
    });
  });

  it('says what it does not support', async () => {
    const answer = await api.get<Problem>('/v1/transactions');
    expect([answer.status, answer.body.detail]).toEqual([404, 'the native peer does not support this']);
  });
});

import { beforeAll, describe, expect, expectTypeOf, it, vi } from 'vitest';
import {
  type BulkResult,
  fixedTargets,
  KvittClient,
  type Listing,
  type PaymentFilter,
  type Targets,
} from '../../src/client/index.ts';
import { listsCaughtUp, useService } from '../service/support/service.ts';

const service = useService({ BOOKS: '2' });
let client: KvittClient;

const clientOf = (targets: Targets) => new KvittClient({ targets, apiKey: service.api.key });

beforeAll(async () => {
  client = clientOf(fixedTargets([service.api.address]));
  await client.createAccount({ id: 'world:EUR', currency: 'EUR' });
  for (const id of ['alice', 'bob', 'shop']) await client.createAccount({ id, currency: 'EUR' });
  await client.createPayment({ source: 'world:EUR', destination: 'alice', amount: 100_000, currency: 'EUR' });
});

const order = (amount: number, more: object = {}) => ({
  source: 'alice',
  destination: 'shop',
  amount,
  currency: 'EUR',
  ...more,
});

async function all<T extends { id: string }>(list: Listing<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of list) items.push(item);
  return items;
}

async function collect(results: AsyncIterable<BulkResult>): Promise<BulkResult[]> {
  const items: BulkResult[] = [];
  for await (const item of results) items.push(item);
  return items;
}

describe('a client', () => {
  it('holds, captures, cancels and refunds payments, and lists what became of them', async () => {
    const held = await client.createPayment(order(100, { capture: 'manual' }));
    expect(held.status).toBe('authorized');
    const captured = await client.capturePayment(held.id, { amount: '60', final: true });
    expect([captured.status, captured.amount_captured]).toEqual(['captured', '60']);
    expect((await client.refundPayment(held.id, { amount: 10 })).amount_refunded).toBe('10');
    const other = await client.createPayment(order(5, { capture: 'manual' }));
    expect((await client.cancelPayment(other.id)).status).toBe('canceled');
    await expect(client.capturePayment(other.id)).rejects.toMatchObject({ code: 'nothing_held', status: 422 });
    const kinds = (await all(client.listPaymentTransactions(held.id, { limit: 2 }))).map(({ kind }) => kind);
    expect(kinds).toEqual(['payment', 'capture', 'refund']);
  });

  it('has a statement compared, works on its breaks, and lists what was matched', async () => {
    const paid = await client.createPayment(order(1_250, { reference: 'CLIENT-1' }));
    const day = paid.created_at.slice(0, 10);
    const csv = `reference,amount,currency,date\nCLIENT-1,12.50,EUR,${day}\nCLIENT-X,9.99,EUR,${day}\n`;
    const { id } = await client.reconcile(csv, { name: 'client.csv', account: 'shop', timing_days: 0 });
    const done = await vi.waitFor(
      async () => {
        const found = await client.getReconciliation(id);
        expect(found.status).not.toBe('running');
        return found;
      },
      { timeout: 20_000, interval: 100 },
    );
    expect(done).toMatchObject({ status: 'succeeded', ok: false, counts: { matched_lines: 1 } });
    expect((await all(client.listReconciliationMatches(id))).map(({ items }) => items)).toEqual([
      [paid.transaction_id],
    ]);
    const breaks = await all(client.listReconciliationItems(id, { limit: 1 }));
    const missing = breaks.find(({ reference }) => reference === 'CLIENT-X')!;
    expect(missing.cause).toBe('missing_here');
    expect((await client.assignBreak(missing.id, 'ola')).assignee).toBe('ola');
    await client.commentOnBreak(missing.id, 'not ours');
    expect((await all(client.listBreaks({ assignee: 'ola' }))).map((one) => one.id)).toEqual([missing.id]);
    expect(await client.breakAgeing({ source: 'default' })).not.toEqual([]);
    expect((await client.resolveBreak(missing.id, { reason: 'of another shop' })).status).toBe('resolved');
    expect((await client.getBreak(missing.id)).resolution?.how).toBe('reason');
    expect((await all(client.listReconciliations({ source: 'default' }))).map((one) => one.id)).toContain(id);
    expect((await client.reconcile(csv, { account: 'shop' })).id).toBe(id);
  });

  it('tells what would become of something without doing it', async () => {
    const before = await client.getBalance('alice');
    const dry = await client.createPayment(order(7), { dryRun: true });
    expect(dry.status).toBe('posted');
    await expect(client.createPayment(order(10 ** 9), { dryRun: true })).rejects.toMatchObject({
      code: 'insufficient_funds',
    });
    expect((await client.freezeAccount('bob', { dryRun: true })).status).toBe('frozen');
    expect((await client.getAccount('bob')).status).toBe('open');
    expect((await client.getBalance('alice')).posted).toBe(before.posted);
  });

  it('lists payments by typed filters, page by page, both ways', async () => {
    const made: string[] = [];
    for (let n = 0; n < 7; n++) {
      const { id } = await client.createPayment(order(20 + n, { reference: 'walk', metadata: { n: String(n % 2) } }));
      made.unshift(id);
    }
    await listsCaughtUp(service.db);
    const walk = client.listPayments({ reference: 'walk', limit: 3 });
    expect((await walk.page()).data.map(({ id }) => id)).toEqual(made.slice(0, 3));
    expect((await all(walk)).map(({ id }) => id)).toEqual(made);
    const up = await all(client.listPayments({ reference: 'walk', limit: 2, ending_before: made[6]! }));
    expect(up.map(({ id }) => id)).toEqual(made.slice(0, 6).reverse());
    const filter = { reference: 'walk', 'metadata[n]': '1', 'amount[gte]': 22n, 'created[lte]': new Date() } as const;
    expect((await all(client.listPayments(filter))).map(({ amount }) => amount)).toEqual(['25', '23']);
    expect(await all(client.listPayments({ status: 'posted', reference: 'nothing' }))).toEqual([]);
    expectTypeOf<'nothing'>().not.toExtend<NonNullable<PaymentFilter['status']>>();
    expectTypeOf<PaymentFilter>().not.toHaveProperty('statuses');
  });

  it('posts, reverses and lists transactions, and answers statements and balances', async () => {
    const postings = [
      { account: 'alice', amount: -30, currency: 'EUR' },
      { account: 'bob', amount: 30, currency: 'EUR' },
    ];
    const posted = await client.createTransaction({ postings, reference: 'moved' });
    const reversal = await client.reverseTransaction(posted.id, { description: 'a mistake' });
    expect(reversal.about).toBe(posted.id);
    await expect(client.reverseTransaction(posted.id)).rejects.toMatchObject({ status: 422 });
    expect(await client.getTransaction(posted.id)).toMatchObject({ reference: 'moved', kind: 'transaction' });
    const page = await client.listTransactions({ account: 'bob', kind: 'transaction' }).page();
    expect(page.data.map(({ id }) => id)).toEqual([posted.id]);
    const entries = await all(client.listEntries('bob', { limit: 1 }));
    expect(entries.map(({ amount }) => amount)).toEqual(['-30', '30']);
    expect((await client.listEntries('bob', { direction: 'credit' }).page()).data).toHaveLength(1);
    const { data, unknown } = await client.queryBalances({ accounts: ['bob', 'nobody'] });
    expect([data.map(({ posted }) => posted), unknown]).toEqual([['0'], ['nobody']]);
    const sums = await client.sumBalances({ prefix: 'b', group_by_level: 1 });
    expect(sums.data).toMatchObject([{ prefix: 'bob', accounts: 1, posted: '0' }]);
    expect((await client.getBalance('bob', { at: new Date(0) })).posted).toBe('0');
    expect(await client.trialBalance()).toMatchObject([{ currency: 'EUR', sum: '0' }]);
  });

  it('changes accounts, and metadata only as it was read', async () => {
    await client.createAccount({ id: 'dave', currency: 'EUR' });
    expect((await client.freezeAccount('dave')).status).toBe('frozen');
    expect((await client.unfreezeAccount('dave')).status).toBe('open');
    expect((await client.setAccountLimits('dave', { max_balance: '500' })).max_balance).toBe('500');
    const read = await client.getAccount('dave');
    const changed = await client.updateAccount(read, { metadata: { tier: 'gold', note: 'x' } });
    expect(changed.metadata).toEqual({ tier: 'gold', note: 'x' });
    await expect(client.updateAccount(read, { metadata: { tier: 'silver' } })).rejects.toMatchObject({
      code: 'precondition_failed',
    });
    expect((await client.updateAccount(changed, { metadata: { note: null } })).metadata).toEqual({ tier: 'gold' });
    expect((await client.updateAccount('dave', { metadata: {} })).metadata).toEqual({ tier: 'gold' });
    expect(() => client.updateAccount({ ...read }, { metadata: {} })).toThrow(TypeError);
    expect((await client.closeAccount('dave')).status).toBe('closed');
    const ids = (await all(client.listAccounts({ prefix: 'da' }))).map(({ id }) => id);
    expect(ids).toEqual(['dave']);
  });

  it('pays thousands in requests of a thousand, each with a key and a result of its own', async () => {
    await client.createAccount({ id: 'staff', currency: 'EUR' });
    const salaries = Array.from({ length: 2_100 }, (_, n) => ({
      ...order(n === 1_500 ? 10 ** 9 : 1),
      destination: 'staff',
      ...(n < 10 ? { idempotency_key: `salary-${n}` } : {}),
    }));
    const results = await collect(client.createPayments(salaries));
    expect(results.map(({ index }) => index)).toEqual(salaries.map((_, n) => n));
    expect(results[3]!.idempotency_key).toBe('salary-3');
    expect(new Set(results.map(({ idempotency_key }) => idempotency_key)).size).toBe(2_100);
    expect(results.filter(({ error }) => error !== null)).toMatchObject([
      { index: 1_500, status: 422, error: { code: 'insufficient_funds' } },
    ]);
    expect((await client.getBalance('staff')).posted).toBe('2099');
    const again = await collect(client.createPayments(salaries.slice(0, 10)));
    expect(again.every(({ replayed }) => replayed)).toBe(true);
    expect(await collect(client.createPayments([]))).toEqual([]);
    await collect(client.createPayments(salaries.slice(20, 30), { dryRun: true }));
    expect((await client.getBalance('staff')).posted).toBe('2099');
  });
});

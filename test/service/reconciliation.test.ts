import { once } from 'node:events';
import { request } from 'node:http';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import type { List, Payment, Problem } from './support/api.ts';
import { countDocuments, listsCaughtUp, useService } from './support/service.ts';

const PAYMENTS = 12;
const service = useService();
const paid: Payment[] = [];

interface Reconciliation {
  id: string;
  object: string;
  status: string;
  ok: boolean | null;
  failure: string | null;
  internal: { ok: boolean; breaks: unknown[]; trial_balance: { currency: string; sum: string }[] };
  external: { counts: Record<string, number>; differences: number; account: string | null; payments: number };
}
interface Item {
  id: string;
  object: string;
  outcome: string;
  reference: string;
  statement: { line: number; amount: string } | null;
  payment: { id: string; amount: string } | null;
  message: string;
}

beforeAll(async () => {
  const { api } = service;
  await api.createAccounts(
    'world:EUR',
    'shop',
    'rent',
    { id: 'world:JPY', currency: 'JPY' },
    { id: 'kiosk', currency: 'JPY' },
  );
  for (let i = 0; i < PAYMENTS; i++)
    paid.push(await api.pay('world:EUR', 'shop', 1_000 + i, { reference: `INV-${i}` }));
  paid.push(await api.pay('world:EUR', 'shop', 77, {}));
  paid.push(await api.pay('shop', 'rent', 500, { reference: 'RENT' }));
  const yen = { source: 'world:JPY', destination: 'kiosk', amount: 900, currency: 'JPY', reference: 'YEN' };
  paid.push((await api.post<Payment>('/v1/payments', yen)).body);
});

const dayOf = ({ created_at }: Payment) => created_at.slice(0, 10);
const major = ({ amount }: Payment) => (Number(amount) / 100).toFixed(2);

/** A line of the statement for a payment as it was posted, but for what is given. */
function line(payment: Payment, more: { reference?: string; amount?: string; date?: string } = {}): string {
  const amount = more.amount ?? (payment.currency === 'JPY' ? payment.amount : major(payment));
  const reference = more.reference ?? payment.reference ?? payment.id;
  return [reference, amount, payment.currency, more.date ?? dayOf(payment)].join(',');
}

const csvOf = (lines: readonly string[]) => `reference,amount,currency,date\n${lines.join('\n')}\n`;

function upload<T = Reconciliation>(csv: string, query = '') {
  return service.api.send<T>('POST', `/v1/reconciliations${query}`, {
    headers: { 'content-type': 'text/csv' },
    body: csv,
  });
}

/** Uploads and waits for the end. */
async function reconcile(csv: string, query = ''): Promise<Reconciliation> {
  const started = await upload(csv, query);
  expect(started).toMatchObject({ status: 202, body: { object: 'reconciliation', status: 'running' } });
  return vi.waitFor(
    async () => {
      const found = await service.api.read<Reconciliation>(started.headers.get('location')!);
      expect(found.status).not.toBe('running');
      return found;
    },
    { timeout: 10_000, interval: 30 },
  );
}

describe('a statement that is posted to the API', () => {
  it('and agrees with the ledger leaves nothing to be said', async () => {
    const found = await reconcile(csvOf(paid.map((payment) => line(payment))));
    expect(found).toMatchObject({
      status: 'succeeded',
      ok: true,
      failure: null,
      internal: {
        ok: true,
        breaks: [],
        trial_balance: [
          { currency: 'EUR', sum: '0' },
          { currency: 'JPY', sum: '0' },
        ],
      },
      external: { differences: 0, counts: { matched: paid.length } },
    });
    const items = await service.api.read<List<Item>>(`/v1/reconciliations/${found.id}/items`);
    expect(items).toEqual({ object: 'list', data: [], has_more: false, url: `/v1/reconciliations/${found.id}/items` });
  });

  it('is compared with what was posted a moment ago, though the list of payments lags', async () => {
    const late = await service.api.pay('world:EUR', 'rent', 5, { reference: 'LATE' });
    const found = await reconcile(csvOf([line(late)]), '?account=rent');
    expect(found.external).toMatchObject({ counts: { matched: 1, missing_here: 0 } });
  });

  it('has exactly the differences that were planted, listed page by page in both directions', async () => {
    const lines = paid.slice(0, PAYMENTS).map((payment) => line(payment));
    lines[2] = line(paid[2]!, { amount: '99.99' });
    lines[5] = line(paid[5]!, { reference: 'UNKNOWN' });
    lines[7] = line(paid[7]!).replace('EUR', 'USD');
    lines.push(line(paid[9]!));
    const planted = [
      ['amount_differs', 'INV-2'],
      ['missing_here', 'UNKNOWN'],
      ['currency_differs', 'INV-7'],
      ['duplicate_there', 'INV-9'],
      ['missing_there', 'INV-5'],
      ['missing_there', paid[PAYMENTS]!.id],
    ];
    const found = await reconcile(csvOf(lines), '?account=shop&window_days=2');
    expect(found).toMatchObject({
      status: 'succeeded',
      ok: false,
      internal: { ok: true },
      external: {
        differences: planted.length + 1,
        account: 'shop',
        counts: { matched: PAYMENTS - 3, missing_there: 3 },
      },
    });
    planted.push(['missing_there', 'RENT']);
    const path = `/v1/reconciliations/${found.id}/items`;
    for (const limit of [2, 3, 100]) {
      const { items } = await service.api.walkOlder<Item>(path, limit);
      expect(items.map(({ outcome, reference }) => [outcome, reference])).toEqual(planted);
      expect(items.map(({ id }) => id)).toEqual(items.map((_, i) => String(i + 1)));
      expect((await service.api.walkNewer<Item>(path, limit, '7')).items).toEqual(items.slice(0, -1));
    }
    const first = (await service.api.read<List<Item>>(`${path}?limit=1`)).data[0];
    expect(first).toMatchObject({
      object: 'reconciliation_item',
      statement: { line: 4, amount: '9999' },
      payment: { id: paid[2]!.id, amount: '1002' },
      message: expect.stringContaining('99.99 EUR'),
    });
  });

  it('finds a ledger that was changed behind its back', async () => {
    await listsCaughtUp(service.db);
    const row = { _id: paid[3]!.id as never };
    const sound = (await service.db.collection('payments').findOne(row))!;
    await service.db.collection('payments').updateOne(row, { $set: { amount: 1n } });
    const found = await reconcile(csvOf([line(paid[0]!)]), '?account=rent');
    await service.db.collection('payments').replaceOne(row, sound);
    expect(found).toMatchObject({
      ok: false,
      internal: { ok: false, breaks: [{ kind: 'wrong_read_model', entry: paid[3]!.transaction_id }] },
    });
  });
});

describe('a statement that cannot be used is refused, and nothing is kept: ', () => {
  const good = 'INV-1,10.01,EUR,2026-01-01';
  it.each([
    ['nothing', '', 'validation_failed', 400],
    ['another header', 'a,b\n1,2\n', 'validation_failed', 400],
    ['an amount with too many decimals', csvOf([good, 'INV-2,1.001,EUR,2026-01-01']), 'validation_failed', 400],
    ['an unknown currency', csvOf([good, 'INV-2,1.00,EUX,2026-01-01']), 'validation_failed', 400],
    ['a day that is none', csvOf([good, 'INV-2,1.00,EUR,2026-02-30']), 'validation_failed', 400],
    ['a record that is cut off', csvOf([good, 'INV-2,1.00']), 'validation_failed', 400],
    ['an endless field', csvOf([good, `"${'x'.repeat(200_000)}`]), 'validation_failed', 400],
  ])('%s', async (_, csv, code, status) => {
    const before = await countDocuments(service.db);
    const answer = await upload<Problem>(csv);
    expect(answer).toMatchObject({ status, body: { code, retryable: false } });
    if (csv.includes('INV-2')) expect(answer.body.detail).toMatch(/line 3/);
    // The rest of it is in nobody's way.
    expect((await service.api.get('/v1/accounts')).status).toBe(200);
    expect(await countDocuments(service.db)).toEqual(before);
  });

  it('another content type', async () => {
    const answer = await service.api.post<Problem>('/v1/reconciliations', { reference: 'x' });
    expect(answer).toMatchObject({ status: 415, body: { code: 'unsupported_media_type' } });
  });

  it('one that is cut off by its sender, and the next one is not in its way', async () => {
    const before = await countDocuments(service.db);
    const headers = { authorization: `Bearer ${service.api.key}`, 'content-type': 'text/csv' };
    const sent = request(`${service.api.address}/v1/reconciliations`, { method: 'POST', headers });
    const failed = once(sent, 'error');
    sent.write(csvOf([good]));
    const busy = () => upload<Problem>(csvOf([]));
    // An empty statement is refused for itself, but for the time that the other one is being read.
    await vi.waitFor(async () => expect((await busy()).body.code).toBe('overloaded'), { timeout: 10_000, interval: 5 });
    sent.destroy(new Error('cut off'));
    await failed;
    await vi.waitFor(async () => expect((await busy()).body.code).toBe('validation_failed'), { timeout: 10_000 });
    expect(await countDocuments(service.db)).toEqual(before);
  });
});

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { List, Payment, Problem } from './support/api.ts';
import { countDocuments, listsCaughtUp, useService } from './support/service.ts';

const PAYMENTS = 12;
const folder = mkdtempSync(join(tmpdir(), 'kvitt-sources-'));
const settings = join(folder, 'sources.json');
writeFileSync(settings, JSON.stringify({ sources: { bank: { account: 'shop', windowDays: 2 } } }));
const service = useService({ RECONCILIATION_CONFIG: settings });
const paid: Payment[] = [];

interface Reconciliation {
  id: string;
  object: string;
  status: string;
  ok: boolean | null;
  failure: string | null;
  dry_run: boolean;
  file: { sha256: string; lines: number; format: string };
  internal: { ok: boolean; breaks: unknown[]; trial_balance: { currency: string; sum: string }[] };
  external: {
    matched_lines: number;
    account: string | null;
    opened_by_cause: Record<string, number>;
    open: Record<string, number>;
    breaks_opened: number;
    breaks_resolved: number;
  };
}
interface Break {
  id: string;
  object: string;
  cause: string;
  status: string;
  reference: string;
  amount: string;
  expected_by: string | null;
  assignee: string | null;
  comments: { by: string; text: string }[];
  statement_line: { line: number; amount: string; text: string } | null;
  ledger_item: { payment: string; amount: string } | null;
  message: string;
  resolution: {
    how: string;
    by: string;
    reason: string | null;
    transaction_id: string | null;
    rule: string | null;
  } | null;
}

afterAll(() => rmSync(folder, { recursive: true }));

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

async function ended(path: string): Promise<Reconciliation> {
  return vi.waitFor(
    async () => {
      const found = await service.api.read<Reconciliation>(path);
      expect(found.status).not.toBe('running');
      return found;
    },
    { timeout: 40_000, interval: 50 },
  );
}

/** Uploads and waits for the end. */
async function reconcile(csv: string, query = ''): Promise<Reconciliation> {
  const started = await upload(csv, query);
  expect(started).toMatchObject({ status: 202, body: { object: 'reconciliation', status: 'running' } });
  return ended(started.headers.get('location')!);
}

const itemsOf = async ({ id }: Reconciliation) =>
  (await service.api.read<List<Break>>(`/v1/reconciliations/${id}/items?limit=100`)).data;

describe('a statement that is posted to the API', () => {
  it('and agrees with the ledger leaves nothing to be said; the same file again is what it was', async () => {
    const csv = csvOf(paid.map((payment) => line(payment)));
    const found = await reconcile(csv);
    expect(found).toMatchObject({
      status: 'succeeded',
      ok: true,
      failure: null,
      internal: { ok: true, breaks: [] },
      external: { breaks_opened: 0, matched_lines: paid.length },
      file: { sha256: createHash('sha256').update(csv).digest('hex'), lines: paid.length, format: 'csv' },
    });
    const items = await service.api.read<List<Break>>(`/v1/reconciliations/${found.id}/items`);
    expect(items).toEqual({ object: 'list', data: [], has_more: false, url: `/v1/reconciliations/${found.id}/items` });
    const matches = await service.api.read<List<{ rule: string; items: string[] }>>(
      `/v1/reconciliations/${found.id}/matches?limit=100`,
    );
    expect(matches.data.map(({ items: [item] }) => item)).toEqual(paid.map(({ transaction_id }) => transaction_id));
    const again = await upload(csv);
    expect(again).toMatchObject({ status: 200, body: { id: found.id, status: 'succeeded' } });
    expect(again.headers.get('idempotent-replayed')).toBe('true');
  });

  it('has exactly the breaks that were planted; a dry run keeps none of them', async () => {
    const lines = paid.slice(0, PAYMENTS).map((payment) => line(payment));
    lines[2] = line(paid[2]!, { amount: '99.99' });
    lines[5] = line(paid[5]!, { reference: 'UNKNOWN', amount: '555.55' });
    lines[7] = line(paid[7]!).replace('EUR', 'USD');
    lines.push(line(paid[9]!));
    const planted = [
      ['amount_differs', 'INV-2'],
      ['missing_here', 'UNKNOWN'],
      ['currency_differs', 'INV-7'],
      ['duplicate_there', 'INV-9'],
      ['timing', 'INV-5'],
      ['timing', paid[PAYMENTS]!.id],
      ['timing', 'RENT'],
    ];
    const count = await service.db.collection('breaks').countDocuments();
    const found = await reconcile(csvOf(lines), '?source=bank&dry_run=true');
    expect(found).toMatchObject({
      ...{ status: 'succeeded', ok: false, dry_run: true, internal: { ok: true } },
      external: { account: 'shop', breaks_opened: planted.length, matched_lines: PAYMENTS - 3 },
    });
    const path = `/v1/reconciliations/${found.id}/items`;
    for (const limit of [2, 3, 100]) {
      const { items } = await service.api.walkOlder<Break>(path, limit);
      expect(items.map(({ cause, reference }) => [cause, reference])).toEqual(planted);
    }
    expect(await service.db.collection('breaks').countDocuments()).toBe(count);
    const [first] = await itemsOf(found);
    expect(first).toMatchObject({
      object: 'break',
      statement_line: { line: 4, amount: '9999' },
      ledger_item: { payment: paid[2]!.id, amount: '1002' },
      message: expect.stringContaining('99.99 EUR'),
    });
  });

  it('finds a ledger that was changed behind its back', async () => {
    await listsCaughtUp(service.db);
    const row = { _id: paid[3]!.id as never };
    const sound = (await service.db.collection('payments').findOne(row))!;
    await service.db.collection('payments').updateOne(row, { $set: { amount: 1n } });
    const found = await reconcile(csvOf([line(paid[0]!)]), '?dry_run=true&full=true');
    await service.db.collection('payments').replaceOne(row, sound);
    expect(found).toMatchObject({
      ok: false,
      internal: { ok: false, breaks: [{ kind: 'wrong_read_model', entry: paid[3]!.transaction_id }] },
    });
  });

  it('needs no body to compare the ledger with itself', async () => {
    const begun = await service.api.send<Reconciliation>('POST', '/v1/reconciliations', {});
    expect(begun).toMatchObject({ status: 202, body: { kind: 'internal' } });
    expect(await ended(begun.headers.get('location')!)).toMatchObject({ ok: true, external: null });
  });
});

describe('breaks', () => {
  const source = '?source=default&timing_days=3';
  const get = (id: string) => service.api.read<Break>(`/v1/breaks/${id}`);

  it('are worked on until somebody resolves them, and told of', async () => {
    const late = await service.api.pay('world:EUR', 'rent', 4_321, { reference: 'LATE-1' });
    const off = await service.api.pay('world:EUR', 'rent', 5_000, { reference: 'OFF-1' });
    const csv = csvOf([line(off, { amount: '50.30' }), line(off, { reference: 'NOBODY-1', amount: '7.77' })]);
    const found = await reconcile(csv, `${source}&account=rent`);
    const [differs, missing, timing] = await itemsOf(found);
    expect([differs, missing, timing]).toMatchObject([
      { cause: 'amount_differs', reference: 'OFF-1', status: 'open' },
      { cause: 'missing_here', reference: 'NOBODY-1', amount: '777' },
      { cause: 'timing', reference: 'LATE-1', expected_by: expect.stringMatching(/^\d{4}-\d{2}-\d{2}$/) },
    ]);
    // A later statement settles what was expected later, by itself.
    const tomorrow = new Date(Date.parse(dayOf(late)) + 86_400_000).toISOString().slice(0, 10);
    const next = await reconcile(csvOf([line(late, { date: tomorrow })]), `${source}&account=rent`);
    expect(next.external).toMatchObject({ matched_lines: 1, breaks_opened: 0, breaks_resolved: 1 });
    expect(await get(timing!.id)).toMatchObject({
      status: 'resolved',
      resolution: { how: 'settled', rule: 'reference' },
    });

    const assigned = await service.api.post<Break>(`/v1/breaks/${missing!.id}/assign`, { assignee: 'kari' });
    expect(assigned.body).toMatchObject({ assignee: 'kari' });
    const commented = await service.api.post<Break>(`/v1/breaks/${missing!.id}/comments`, { text: 'asked the bank' });
    expect(commented.body.comments).toMatchObject([{ text: 'asked the bank', by: expect.stringContaining('client ') }]);
    const mine = await service.api.read<List<Break>>('/v1/breaks?assignee=kari&status=open');
    expect(mine.data.map(({ id }) => id)).toEqual([missing!.id]);

    const reason = { reason: 'the bank booked it on the wrong account' };
    const resolved = await service.api.post<Break>(`/v1/breaks/${missing!.id}/resolve`, reason);
    expect(resolved).toMatchObject({ status: 200, body: { status: 'resolved', resolution: { how: 'reason' } } });
    expect((await service.api.post<Break>(`/v1/breaks/${missing!.id}/resolve`, reason)).status).toBe(200);
    const other = await service.api.post<Problem>(`/v1/breaks/${missing!.id}/resolve`, { reason: 'another' });
    expect(other).toMatchObject({ status: 409, body: { code: 'break_resolved' } });

    // With a transaction: once, whoever asks for it and however often.
    const postings = [
      { account: 'world:EUR', amount: -30, currency: 'EUR' },
      { account: 'rent', amount: 30, currency: 'EUR' },
    ];
    const before = Number(await service.api.posted('rent'));
    const adjusting = { reason: 'the bank rounded', transaction: { postings, description: 'rounding' } };
    const refused = await service.api.post<Problem>(`/v1/breaks/${differs!.id}/resolve`, {
      reason: 'the bank rounded',
      transaction: {
        postings: [
          { ...postings[0]!, account: 'shop', amount: -9_000_000 },
          { ...postings[1]!, amount: 9_000_000 },
        ],
      },
    });
    expect(refused).toMatchObject({ status: 422, body: { code: 'adjustment_rejected' } });
    expect(await get(differs!.id)).toMatchObject({ status: 'open' });
    for (let i = 0; i < 2; i++) {
      const done = await service.api.post<Break>(`/v1/breaks/${differs!.id}/resolve`, adjusting);
      expect(done).toMatchObject({
        status: 200,
        body: { resolution: { how: 'adjusted', reason: 'the bank rounded' } },
      });
    }
    expect(Number(await service.api.posted('rent')) - before).toBe(30);

    const told = await service.api.read<{ data: { type: string; data: { object: { id: string } } }[] }>(
      '/v1/events?limit=100&types=reconciliation.completed,reconciliation.break_opened,reconciliation.break_resolved',
    );
    const about = (type: string) => told.data.filter((event) => event.type === type).map(({ data }) => data.object.id);
    expect(about('reconciliation.completed')).toEqual(expect.arrayContaining([found.id, next.id]));
    expect(about('reconciliation.break_opened')).toEqual(
      expect.arrayContaining([differs!.id, missing!.id, timing!.id]),
    );
    expect(about('reconciliation.break_resolved').filter((id) => id === differs!.id)).toHaveLength(1);
    expect(about('reconciliation.break_resolved').sort()).toEqual([differs!.id, missing!.id, timing!.id].sort());

    const audited = await service.db
      .collection('audit')
      .find({ action: /^break_/ })
      .toArray();
    expect(audited.map(({ action }) => action)).toEqual(
      expect.arrayContaining(['break_assigned', 'break_commented', 'break_resolved']),
    );
  });

  it('are counted by their age', async () => {
    const { data } = await service.api.read<{ data: { cause: string; count: number; age_days: number }[] }>(
      '/v1/breaks/ageing',
    );
    const open = await service.api.read<List<Break>>('/v1/breaks?status=open&limit=100');
    expect(data.reduce((sum, { count }) => sum + count, 0)).toBe(open.data.length);
  });
});

describe('a statement that cannot be used is refused, and nothing is kept: ', () => {
  const good = 'INV-1,10.01,EUR,2026-01-01';
  const count = async () => ({
    ...(await countDocuments(service.db)),
    chunks: await service.db.collection('statement_files.chunks').countDocuments(),
  });
  it.each([
    ['nothing', '', 'validation_failed', 400],
    ['another header', 'a,b\n1,2\n', 'validation_failed', 400],
    ['an amount with too many decimals', csvOf([good, 'INV-2,1.001,EUR,2026-01-01']), 'validation_failed', 400],
    ['an unknown currency', csvOf([good, 'INV-2,1.00,EUX,2026-01-01']), 'validation_failed', 400],
    ['a day that is none', csvOf([good, 'INV-2,1.00,EUR,2026-02-30']), 'validation_failed', 400],
    ['a record that is cut off', csvOf([good, 'INV-2,1.00']), 'validation_failed', 400],
    ['an endless field', csvOf([good, `"${'x'.repeat(200_000)}`]), 'body_too_large', 413],
  ])('%s', async (_, csv, code, status) => {
    const before = await count();
    const answer = await upload<Problem>(csv);
    expect(answer).toMatchObject({ status, body: { code, retryable: false } });
    if (csv.includes('INV-2')) expect(answer.body.detail).toMatch(/line 3/);
    // The rest of it is in nobody's way.
    expect((await service.api.get('/v1/accounts')).status).toBe(200);
    expect(await count()).toEqual(before);
  });

  it('another content type', async () => {
    const answer = await service.api.post<Problem>('/v1/reconciliations', { reference: 'x' });
    expect(answer).toMatchObject({ status: 415, body: { code: 'unsupported_media_type' } });
  });

  it('of a source that there is none of', async () => {
    const answer = await upload<Problem>(csvOf([good]), '?source=nowhere');
    expect(answer).toMatchObject({ status: 422, body: { code: 'unknown_source' } });
  });

  it('one that is cut off by its sender', async () => {
    const before = await count();
    const headers = { authorization: `Bearer ${service.api.key}`, 'content-type': 'text/csv' };
    const sent = request(`${service.api.address}/v1/reconciliations`, { method: 'POST', headers });
    const failed = once(sent, 'error');
    sent.write(csvOf([good]));
    await new Promise((resolve) => setTimeout(resolve, 200));
    sent.destroy(new Error('cut off'));
    await failed;
    await vi.waitFor(async () => expect(await count()).toEqual(before), { timeout: 30_000 });
  });
});

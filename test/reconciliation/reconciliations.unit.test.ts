import { describe, expect, test } from 'vitest';
import type { ReconciliationItem } from '../../src/reconciliation/outcomes.ts';
import type { ReconciliationsPort } from '../../src/reconciliation/ports.ts';
import type { ReconciliationReport } from '../../src/reconciliation/reconcile.ts';
import { Reconciliations } from '../../src/reconciliation/reconciliations.ts';
import { each, Model, NOW } from '../verification/model.ts';

const CSV = 'reference,amount,currency,date\nINV-1,10.00,EUR,2026-01-01\n';
const silent = { debug() {}, info() {}, warn() {}, error() {} };

/** Keeps what it is given, and when. */
class Store implements ReconciliationsPort {
  readonly reports = new Map<string, ReconciliationReport>();
  readonly kept: ReconciliationItem[] = [];
  readonly calls: string[] = [];

  async save(report: ReconciliationReport) {
    this.calls.push(`save ${report.status}`);
    this.reports.set(report.id, report);
  }
  async saveItems(_id: string, items: readonly ReconciliationItem[]) {
    this.calls.push(`saveItems ${items.length}`);
    this.kept.push(...items);
  }
  async get(id: string) {
    return this.reports.get(id) ?? null;
  }
  async items() {
    return { data: this.kept, hasMore: false };
  }
}

function setUp({ holdUntil = Promise.resolve(), payments = 0 }: { holdUntil?: Promise<void>; payments?: number } = {}) {
  const clock = { at: NOW, now: () => clock.at };
  const store = new Store();
  const audit = new Model().port();
  const createdAt = new Date(Date.UTC(2026, 0, 1));
  const rows = Array.from({ length: payments }, (_, i) => ({
    id: `pay_${i}`,
    reference: null,
    amount: 1n,
    currency: 'EUR',
    source: 'a',
    destination: 'b',
    createdAt,
  }));
  const tips = async () => {
    await holdUntil;
    return [];
  };
  const jobs = new Reconciliations({
    audit: { ...audit, tips },
    payments: { postedPayments: () => each(rows) },
    store,
    clock,
    log: silent,
  });
  return { jobs, store, clock };
}

describe('a reconciliation in the background', () => {
  test('is kept as running, then with its items, then as done', async () => {
    const { jobs, store } = setUp({ payments: 2_500 });
    const { id, status } = await jobs.start(each([CSV]));
    expect(status).toBe('running');
    await jobs.idle();
    expect(store.calls).toEqual([
      'save running',
      'saveItems 1000',
      'saveItems 1000',
      'saveItems 501',
      'save succeeded',
    ]);
    expect(await jobs.get(id)).toMatchObject({ id, status: 'succeeded', ok: false, external: { differences: 2_501 } });
    expect((await jobs.items(id, { limit: 10 })).data).toHaveLength(2_501);
  });

  test('runs alone, and the next may start after it', async () => {
    let release = () => {};
    const { jobs } = setUp({ holdUntil: new Promise((resolve) => (release = resolve)) });
    await jobs.start(each([CSV]));
    await expect(jobs.start(each([CSV]))).rejects.toMatchObject({ code: 'reconciliation_running' });
    release();
    await jobs.idle();
    expect((await jobs.start(each([CSV]))).status).toBe('running');
    await jobs.idle();
  });

  test('is refused while another one is still being read', async () => {
    const { jobs } = setUp();
    let finish = () => {};
    const slow = (async function* () {
      yield CSV;
      await new Promise<void>((resolve) => (finish = resolve));
    })();
    const first = jobs.start(slow);
    await expect(jobs.start(each([CSV]))).rejects.toMatchObject({ code: 'reconciliation_running' });
    while (
      (await Promise.race([first.then(() => true), new Promise((resolve) => setImmediate(resolve, false))])) === false
    )
      finish();
    await jobs.idle();
  });

  test('of a bad statement is not kept, and leaves the way free', async () => {
    const { jobs, store } = setUp();
    await expect(jobs.start(each(['no header\n']))).rejects.toMatchObject({ code: 'statement_invalid', line: 1 });
    expect(store.calls).toEqual([]);
    await jobs.start(each([CSV]));
    await jobs.idle();
    expect(store.calls).toContain('save succeeded');
  });

  test('is kept as failed when the service stops meanwhile', async () => {
    let release = () => {};
    const { jobs, store } = setUp({ holdUntil: new Promise((resolve) => (release = resolve)), payments: 1_000 });
    const { id } = await jobs.start(each([CSV]));
    const closed = jobs.close();
    release();
    await closed;
    expect(store.reports.get(id)).toMatchObject({
      status: 'failed',
      failure: 'it could not run: the service is shutting down',
    });
    await expect(jobs.start(each([CSV]))).rejects.toMatchObject({ code: 'reconciliation_running' });
  });

  test('of a process that died is answered as failed, once it had its time', async () => {
    const { jobs, store, clock } = setUp();
    await store.save({ ...(await runningReport()), startedAt: new Date(NOW) });
    const [id] = [...store.reports.keys()] as [string];
    clock.at = NOW + 31 * 60_000;
    expect((await jobs.get(id)).status).toBe('running');
    clock.at++;
    expect(await jobs.get(id)).toMatchObject({ status: 'failed', failure: expect.stringContaining('start it again') });
  });
});

async function runningReport(): Promise<ReconciliationReport> {
  const { jobs, store } = setUp();
  await jobs.start(each([CSV]));
  await jobs.idle();
  const [report] = store.reports.values();
  return { ...report!, status: 'running', finishedAt: null, ok: null };
}

describe('what is asked for wrongly', () => {
  test('an unknown id', async () => {
    await expect(setUp().jobs.get('rec_0')).rejects.toMatchObject({ code: 'not_found' });
    await expect(setUp().jobs.items('rec_0', { limit: 1 })).rejects.toMatchObject({ code: 'not_found' });
  });

  test.each(['0', '-1', 'x', '1.5', ' 1'])('the cursor %j', async (cursor) => {
    const { jobs } = setUp();
    const { id } = await jobs.start(each([CSV]));
    await jobs.idle();
    await expect(jobs.items(id, { limit: 1, startingAfter: cursor })).rejects.toMatchObject({ code: 'invalid_cursor' });
    await expect(jobs.items(id, { limit: 1, endingBefore: cursor })).rejects.toMatchObject({ code: 'invalid_cursor' });
  });
});

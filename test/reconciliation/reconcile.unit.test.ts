import { describe, expect, test } from 'vitest';
import type { MatchablePayment } from '../../src/reconciliation/ports.ts';
import { EXIT_CODES, exitCodeOf, type ReconcileDeps, reconcileCsv } from '../../src/reconciliation/reconcile.ts';
import { renderReconciliation } from '../../src/reconciliation/report.ts';
import { renderJson, table, toJson } from '../../src/resources/text.ts';
import { each, Model, NOW } from '../verification/model.ts';

const CSV = 'reference,amount,currency,date\nINV-1,10.00,EUR,2026-01-01\nINV-2,20.00,EUR,2026-01-01\n';

function sound(): { model: Model; deps: ReconcileDeps } {
  const model = new Model();
  model.account('world:EUR', 'EUR', 0, null);
  model.account('a', 'EUR');
  model.run([1, 2].map((n) => model.payment('world:EUR', 'a', BigInt(n) * 1_000n, { reference: `INV-${n}` })));
  const postedPayments = () =>
    each(model.rows.map((row): MatchablePayment => ({ ...row, id: row.transactionId.replace('txn', 'pay') })));
  return { model, deps: { audit: model.port(), payments: { postedPayments }, clock: { now: () => NOW } } };
}

describe('a reconciliation', () => {
  test('is clean when the ledger is sound and all matches', async () => {
    const { report, items } = await reconcileCsv(sound().deps, each([CSV]));
    expect(report).toMatchObject({ status: 'succeeded', ok: true, failure: null, startedAt: new Date(NOW) });
    expect(report.id).toMatch(/^rec_[0-9a-f-]{36}$/);
    expect(report.external?.counts.matched).toBe(2);
    expect(items).toEqual([]);
    expect(exitCodeOf(report)).toBe(EXIT_CODES.clean);
  });

  test('without a statement is only of the ledger itself', async () => {
    const { report } = await reconcileCsv(sound().deps, null);
    expect(report).toMatchObject({ ok: true, external: null, internal: { ok: true } });
  });

  test('is different when the statement differs', async () => {
    const { report, items } = await reconcileCsv(sound().deps, each([CSV.replace('20.00', '20.01')]));
    expect(report).toMatchObject({
      status: 'succeeded',
      ok: false,
      internal: { ok: true },
      external: { differences: 1 },
    });
    expect(items).toMatchObject([{ outcome: 'amount_differs', reference: 'INV-2' }]);
    expect(exitCodeOf(report)).toBe(EXIT_CODES.different);
  });

  test('is different when the ledger is broken, though all matches', async () => {
    const { model, deps } = sound();
    model.claims = [];
    const { report } = await reconcileCsv(deps, each([CSV]));
    expect(report).toMatchObject({ ok: false, internal: { breakCount: 2 }, external: { differences: 0 } });
    expect(exitCodeOf(report)).toBe(EXIT_CODES.different);
  });

  test('fails on a bad statement before anything is compared', async () => {
    const { deps } = sound();
    const audit = { ...deps.audit, tips: () => Promise.reject(new Error('must not be asked')) };
    const { report } = await reconcileCsv({ ...deps, audit }, each([CSV.replace('20.00', '20,00')]));
    const failure = 'the statement cannot be used: line 3: the line has more or fewer fields than the first line';
    expect(report).toMatchObject({ status: 'failed', ok: null, internal: null, external: null, failure });
    expect(exitCodeOf(report)).toBe(EXIT_CODES.unusable);
  });

  test('fails when the ledger cannot be read: nothing is known then', async () => {
    const { deps } = sound();
    const audit = { ...deps.audit, findByKeys: () => Promise.reject(new Error('no primary')) };
    const { report } = await reconcileCsv({ ...deps, audit }, each([CSV]));
    expect(report).toMatchObject({ status: 'failed', ok: null, failure: 'it could not run: no primary' });
    expect(exitCodeOf(report)).toBe(EXIT_CODES.unusable);
  });
});

describe('the report', () => {
  test('is a readable text', async () => {
    const { deps } = sound();
    const { report, items } = await reconcileCsv(deps, each([CSV.replace('20.00', '20.01')]));
    const text = renderReconciliation({ report, items });
    expect(text.replace(/rec_\S+/, 'rec_…').replace(/[0-9a-f]{16}…/, '0123456789abcdef…')).toMatchInlineSnapshot(`
      "Ledger: verified, nothing broken
      entries 2, accounts 2, claims 1 (pending 0), 0.0 s

      book  blocks  entries  postings  height  hash
         0       1        2         4       1  0123456789abcdef…

      currency  accounts   debit  credit   sum
      EUR              2  -30.00   30.00  0.00

      Statement: 1 difference
      2026-01-01 to 2026-01-01, dates within 1 d: 2 records, 2 payments

      outcome           count
      matched               1
      missing_here          0
      missing_there         0
      amount_differs        1
      currency_differs      0
      date_differs          0
      duplicate_here        0
      duplicate_there       0

      currency  statement  ledger  difference  matched
      EUR           30.01   30.00        0.01    10.00

      line  outcome         reference  payment                                   what
         3  amount_differs  INV-2      pay_01900000-0000-7000-8000-000000000002  the statement has 20.01 EUR on 2026-01-01, the ledger has 20.00 EUR on 2026-01-01

      NOT reconciled: rec_…
      "
    `);
  });

  test('shows breaks', async () => {
    const { model, deps } = sound();
    model.blocks()[0]!.entries[0]!.postings[1]!.posted += 1n;
    model.forge();
    const text = renderReconciliation(await reconcileCsv(deps, null));
    expect(text).toContain('Ledger: 1 break found');
    expect(text).toMatch(
      /wrong_running_balance +0 +1 +the balance of account a .*expected posted 1000, held 0, found posted 1001, held 0/,
    );
    expect(text).toContain('NOT reconciled');
  });

  test('says why it failed, on one line', async () => {
    const text = renderReconciliation(await reconcileCsv(sound().deps, each(['a,b\n'])));
    expect(text).toMatch(/^Reconciliation rec_\S+ failed: the statement cannot be used: line 1: .*\n$/);
  });

  test('does not let a file command the terminal', async () => {
    const { report, items } = await reconcileCsv(
      sound().deps,
      each([`${CSV}"\u001b[2J\u202eX",1.00,EUR,2026-01-01\n`]),
    );
    const text = renderReconciliation({ report, items });
    expect(text).toContain('?[2J?X');
    for (const command of ['\u001b', '\u202e']) expect(text).not.toContain(command);
  });

  test('survives an account whose currency was damaged', async () => {
    const { model, deps } = sound();
    model.accounts[1]!.currency = 'E?R';
    expect(renderReconciliation(await reconcileCsv(deps, null))).toContain('wrong_currency');
  });

  test('is JSON with amounts as text', async () => {
    const { report, items } = await reconcileCsv(sound().deps, each([CSV.replace('20.00', '20.01')]));
    const json = JSON.parse(renderJson({ ...report, items }));
    expect(json).toMatchObject({
      started_at: '2026-01-31T12:00:00.000Z',
      internal: { break_count: 0, trial_balance: [{ currency: 'EUR', debit: '-3000', credit: '3000', sum: '0' }] },
      external: { counts: { amount_differs: 1 }, totals: [{ statement: '3001', ledger: '3000', difference: '1' }] },
      items: [{ statement: { amount: '2001' }, payment: { amount: '2000' } }],
    });
  });

  test('keeps names that are snake_case already, and null', () => {
    expect(toJson({ aB: [{ c_d: null }], e: 1n })).toEqual({ a_b: [{ c_d: null }], e: '1' });
  });

  test('aligns its columns', () => {
    expect(
      table(
        ['a', 'number'],
        [
          ['long', '1'],
          ['x', '22'],
        ],
        'lr',
      ),
    ).toBe('a     number\nlong       1\nx         22\n');
  });
});

import { parse } from 'csv-parse/sync';
import { describe, expect, it } from 'vitest';
import { renderReport } from '../../src/reconciliation/reports.ts';
import type { Resolution } from '../../src/reconciliation/types.ts';
import { breakOf, day, ID, item, line, matchOf, NOW, reconciliation, reportOf } from './report-scene.ts';

async function rowsOf(scene: Parameters<typeof reportOf>[0]): Promise<Record<string, string>[]> {
  const { text } = await reportOf(scene, 'csv');
  return parse(text, { columns: true, bom: true, record_delimiter: '\r\n' });
}

describe('the report as JSON', () => {
  it('has every page of breaks and matches', async () => {
    const breaks = Array.from({ length: 2_500 }, (_, at) => breakOf({ position: at + 1 }));
    const matches = Array.from({ length: 3_000 }, (_, at) => matchOf({ lines: [at + 1] }));
    const ageing = [
      { source: 'main-bank', cause: 'timing', currency: 'EUR', ageDays: 2, count: 3, amount: 10n ** 17n },
    ] as const;
    const { text, pages } = await reportOf({ breaks, matches, ageing }, 'json');
    const report = JSON.parse(text);
    expect(Object.keys(report)).toEqual(['reconciliation', 'breaks', 'matches', 'ageing']);
    expect(report.reconciliation).toMatchObject({ object: 'reconciliation', id: ID, source: 'main-bank', ok: false });
    expect(report.breaks.map((one: { id: string }) => one.id)).toEqual(breaks.map(({ id }) => id));
    expect(report.matches.map((one: { id: string }) => one.id)).toEqual(matches.map((_, at) => String(at + 1)));
    expect(report.ageing).toEqual([
      { source: 'main-bank', cause: 'timing', currency: 'EUR', age_days: 2, count: 3, amount: '100000000000000000' },
    ]);
    expect(pages).toBe(3 + 3);
  });

  it('is valid with nothing in it', async () => {
    const nothing = reconciliation({ kind: 'internal', file: null, config: null, external: null, ok: true });
    const { text } = await reportOf({ reconciliations: [nothing] }, 'json');
    expect(JSON.parse(text)).toMatchObject({ breaks: [], matches: [], ageing: [], reconciliation: { file: null } });
  });
});

describe('the report as CSV', () => {
  it('begins with a byte order mark and ends lines with CR LF', async () => {
    const { text } = await reportOf({ breaks: [breakOf()] }, 'csv');
    expect(text.startsWith('\ufeffkind,id,')).toBe(true);
    expect(text.endsWith('\r\n')).toBe(true);
    expect(text.replaceAll('\r\n', '')).not.toMatch(/[\r\n]/);
  });

  it('has both sides of a break, in major units', async () => {
    expect(await rowsOf({ breaks: [breakOf({ assignee: 'bo' })] })).toEqual([
      {
        ...{ kind: 'break', id: `brk_${'1'.padStart(32, '0')}`, rule: '', confidence: '', cause: 'amount_differs' },
        ...{ status: 'open', reference: 'INV-1', direction: 'in', statement_line: '3', statement_date: '2026-11-26' },
        ...{ statement_amount: '10.49', currency: 'EUR', ledger_id: 'txn_01a212cb-925d-7a96-b27e-000000000001' },
        ...{ ledger_date: '2026-11-26', ledger_amount: '10.50', ledger_currency: 'EUR', difference: '-0.01' },
        message: 'the statement has 10.49 EUR on 2026-11-26, the ledger has 10.50 EUR on 2026-11-26',
        ...{ assignee: 'bo', age_days: '2', resolution: '' },
      },
    ]);
  });

  it('takes a missing side for nothing, and does not subtract one currency from another', async () => {
    const rows = await rowsOf({
      breaks: [
        breakOf({ cause: 'missing_here', item: null, currency: 'JPY', line: line({ amount: 500n, currency: 'JPY' }) }),
        breakOf({ cause: 'missing_there', line: null }),
        breakOf({ cause: 'currency_differs', item: item({ currency: 'USD' }) }),
      ],
    });
    expect(rows.map((row) => [row.statement_amount, row.ledger_amount, row.ledger_currency, row.difference])).toEqual([
      ['500', '', '', '500'],
      ['', '10.50', 'EUR', '-10.50'],
      ['10.49', '10.50', 'USD', ''],
    ]);
  });

  it('counts the age of a resolved break until it was resolved', async () => {
    const resolution: Resolution = {
      ...{ by: 'anna', at: new Date(NOW - 86_400_000), how: 'adjusted', reason: 'fee', transactionId: 'txn_9' },
      ...{ reconciliation: null, rule: null },
    };
    const [row] = await rowsOf({ breaks: [breakOf({ status: 'resolved', day: day('2026-11-20'), resolution })] });
    expect(row).toMatchObject({
      ...{ status: 'resolved', age_days: '7' },
      resolution: 'adjusted by anna on 2026-11-27; fee; transaction txn_9',
    });
  });

  it('has a row for each side of a match, and its sum once', async () => {
    const rows = await rowsOf({
      matches: [
        matchOf(),
        matchOf({ rule: 'one_to_many', confidence: 0.7, lines: [7], items: ['txn_a', 'txn_b'], amount: 1_500n }),
        matchOf({ rule: 'many_to_one', confidence: 0.95, lines: [8], breaks: ['brk_old'], items: ['txn_c'] }),
      ],
    });
    const cells = rows.map((row) => [row.id, row.confidence, row.statement_line, row.statement_amount, row.ledger_id]);
    expect(cells).toEqual([
      ['1', '1.00', '1', '10.00', 'txn_01a212cb-925d-7a96-b27e-000000000002'],
      ['2', '0.70', '7', '15.00', 'txn_a'],
      ['2', '0.70', '', '', 'txn_b'],
      ['3', '0.95', '8', '10.00', 'txn_c'],
      ['3', '0.95', '', '', ''],
    ]);
    expect(rows[4]?.message).toBe('a line of an earlier statement: until then break brk_old');
  });

  it('keeps texts from being run as formulas, and quotes what must be', async () => {
    const texts = ['=1+1', '+1', '-1', '@A1', '\tx', '\rx', '＝1', 'a,b "c"\r\nd', ' =1', 'INV-1'];
    const breaks = texts.map((reference) => breakOf({ reference, assignee: reference }));
    const rows = await rowsOf({ breaks });
    const expected = [...texts.slice(0, 7).map((text) => `'${text}`), ...texts.slice(7)];
    expect(rows.map(({ reference }) => reference)).toEqual(expected);
    expect(rows.map(({ assignee }) => assignee)).toEqual(expected);
    expect(rows[0]?.difference).toBe('-0.01');
  });

  it('has only its head where there is nothing', async () => {
    expect(await rowsOf({})).toEqual([]);
  });
});

describe('any report', () => {
  it('is refused before it begins where there is no such reconciliation', async () => {
    const source = {
      get: () => Promise.reject(new Error('there is none')),
      list: async () => ({ data: [], hasMore: false }),
      breaks: async () => ({ data: [], hasMore: false }),
      matches: async () => ({ data: [], hasMore: false }),
    };
    await expect(renderReport(source, { ageing: async () => [] }, ID, 'csv')).rejects.toThrow('there is none');
  });
});

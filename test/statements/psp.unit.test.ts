import { describe, expect, test } from 'vitest';
import { csvMapping } from '../../src/statements/mapping.ts';
import { brief, failure, fixture, readAll } from './support/read.ts';

const HEADER = 'reference,gross,fee,net,currency,date,payout,type\n';
const report = (...rows: string[]) => HEADER + rows.map((row) => `${row}\n`).join('');
const row = (type: string, gross: string, fee: string, net: string, payout = 'P') =>
  `R,${gross},${fee},${net},EUR,2026-01-31,${payout},${type}`;

describe('a settlement report is read', () => {
  test('with payments, refunds, chargebacks, fees by themselves and fees given back; payouts are checked', async () => {
    const { lines, statements } = await readAll('psp', fixture('psp-report.csv'));
    expect(lines.map(brief)).toEqual([
      '2: 2026-01-29 in 10000 fee 175 EUR [ORDER-1] "Card" id=ch_1 batch=po_1',
      '3: 2026-01-29 in 5000 fee 100 EUR [ORDER-2] "" id=ch_2 batch=po_1',
      '4: 2026-01-30 out 10000 EUR [ORDER-1] "Wrong size" id=re_1 batch=po_1 reversal',
      '4: 2026-01-30 in 50 EUR [] "fee given back; ORDER-1; Wrong size" batch=po_1 reversal',
      '5: 2026-01-30 out 2000 fee 1500 EUR [ORDER-0] "Fraud" id=cb_1 batch=po_1 reversal',
      '6: 2026-01-30 out 200 EUR [] "Monthly fee" id=fee_1 batch=po_1',
      '7: 2026-01-30 in 500 EUR [] "Goodwill" id=adj_1 batch=po_1',
      '9: 2026-01-31 in 1000 fee 40 EUR [ORDER-3] "" id=ch_3',
    ]);
    expect(statements).toMatchObject([{ currency: 'EUR', lines: 8, from: 20_482, to: 20_484 }]);
  });

  test('with fees below zero and without types', async () => {
    const { lines } = await readAll('psp', fixture('psp-negative-fees.csv'), {
      mapping: csvMapping.parse({
        delimiter: ';',
        dateFormat: 'DD.MM.YYYY',
        decimalMark: ',',
        amount: {
          kind: 'settlement',
          gross: 'gross',
          fee: 'fee',
          net: 'net',
          payout: 'settlement',
          feeTaken: 'negative',
        },
        currency: { code: 'EUR' },
        date: 'date',
        references: ['order'],
      }),
    });
    expect(lines.map(brief)).toEqual([
      '2: 2026-01-31 in 10000 fee 175 EUR [ORDER-1] "" batch=S-1',
      '3: 2026-01-31 out 4000 EUR [ORDER-1] "" batch=S-1',
      '3: 2026-01-31 in 70 EUR [] "fee given back; ORDER-1" batch=S-1',
    ]);
  });

  test('with payouts above zero as well, of each currency by itself', async () => {
    const usd = (text: string) => text.replace('EUR', 'USD');
    const rows = [row('charge', '5.00', '', '5.00'), usd(row('charge', '7.00', '1.00', '6.00'))];
    const payouts = [row('payout', '5.00', '0', '5.00'), usd(row('payout', '-6.00', '0', '-6.00'))];
    const { lines, statements } = await readAll('psp', report(...payouts, ...rows));
    expect(lines).toHaveLength(2);
    expect(statements).toMatchObject([{ currency: null }]);
  });
});

describe('a settlement report is refused, with the line and the reason', () => {
  test.each<[string, string | Uint8Array, number, RegExp]>([
    [
      'when a net is not gross less fee',
      fixture('damaged-psp-net.csv'),
      3,
      /50\.00 EUR.*1\.00 EUR is 49\.00 EUR.*49\.10 EUR/,
    ],
    [
      'when a payout is not the sum of its rows',
      fixture('damaged-psp-payout.csv'),
      8,
      /"po_1" says -15\.85 EUR.*15\.75 EUR/,
    ],
    ['when a payout has no rows', report(row('payout', '5.00', '0', '5.00')), 2, /nets of its rows come to 0\.00 EUR/],
    [
      'when a payout is there twice',
      report(row('payout', '0', '0', '0'), row('payout', '0', '0', '0')),
      3,
      /twice, first in line 2/,
    ],
    ['when a payout has no id', report(row('payout', '5.00', '0', '5.00', '')), 2, /must have its id in payout/],
    ['when a payout has a fee', report(row('payout', '5.00', '1.00', '4.00')), 2, /row of its own/],
    ['when a charge is below zero', report(row('charge', '-5.00', '0', '-5.00')), 2, /of a charge must be above zero/],
    ['when a refund is above zero', report(row('refund', '5.00', '0', '5.00')), 2, /of a refund must be below zero/],
    ['when a type is unknown', report(row('loan', '5.00', '0', '5.00')), 2, /type must be one of charge, .*not "loan"/],
    ['when a row moves nothing', report(row('fee', '0.00', '0', '0.00')), 2, /moves nothing/],
    ['when a payment has no reference', report(row('charge', '5.00', '0', '5.00').slice(1)), 2, /no reference/],
  ])('%s', async (_name, file, line, reason) => {
    const error = await failure('psp', file);
    expect(error.message).toMatch(reason);
    expect(error.line).toBe(line);
  });

  test('when it has too many payouts', async () => {
    const rows = ['P', 'Q'].map((payout) => row('charge', '5.00', '0', '5.00', payout));
    const error = await failure('psp', report(...rows), { limits: { payoutsMax: 1 } });
    expect(error).toMatchObject({ line: 3, code: 'statement_too_large' });
  });

  test('when its mapping says a type has two meanings, or where the fee is twice', () => {
    const amount = { kind: 'settlement', gross: 'g', fee: 'f', net: 'n', payout: 'p' };
    const base = { currency: { code: 'EUR' }, date: 'd' };
    const type = { column: 't', charge: ['sale'], refund: ['SALE'] };
    expect(csvMapping.safeParse({ ...base, amount: { ...amount, type } }).error?.message).toMatch(/two meanings/);
    expect(csvMapping.safeParse({ ...base, amount, fee: 'f' }).error?.message).toMatch(/is in amount\.fee/);
    expect(csvMapping.safeParse({ ...base, amount, batch: 'p' }).error?.message).toMatch(/is amount\.payout/);
  });
});

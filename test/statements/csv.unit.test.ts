import { describe, expect, test } from 'vitest';
import type { z } from 'zod';
import { csvMapping } from '../../src/statements/mapping.ts';
import { brief, failure, fixture, readAll } from './support/read.ts';

type Input = z.input<typeof csvMapping>;

const BASE: Input = {
  amount: { kind: 'signed', column: 'amount' },
  currency: { code: 'EUR' },
  date: 'date',
  references: ['ref'],
};
const mapped = (input: Partial<Input> = {}) => ({ mapping: csvMapping.parse({ ...BASE, ...input }) });
const csv = (...rows: string[]) => `date,amount,ref\n${rows.map((row) => `${row}\n`).join('')}`;
const read = async (file: string | Uint8Array, input?: Partial<Input>) =>
  (await readAll('csv', file, mapped(input))).lines.map(brief);

describe('CSV is read by a mapping', () => {
  test('with the default columns: no direction, quoted line ends, days as they are written', async () => {
    const { lines, statements } = await readAll('csv', fixture('csv-default.csv'));
    expect(lines.map(brief)).toEqual([
      '2: 2026-01-31 moved 1234 EUR [INV-1] "rent, \\"March\\" and April" id=B-1',
      '4: 2026-01-31 moved 1234 JPY [INV-2] ""',
    ]);
    const none = { id: null, account: null, currency: null, opening: null, closing: null };
    expect(statements).toEqual([{ ...none, from: 20_484, to: 20_484, lines: 2 }]);
  });

  test('with lines to skip, a footer, debit and credit columns, decimal commas and Windows-1252', async () => {
    const { lines, statements } = await readAll('csv', fixture('csv-debit-credit.csv'), {
      mapping: csvMapping.parse({
        delimiter: ';',
        encoding: 'windows-1252',
        skipLines: 3,
        footer: 'Endsaldo',
        dateFormat: 'DD.MM.YYYY',
        decimalMark: ',',
        thousandsSeparator: '.',
        amount: { kind: 'split', credit: 'Haben', debit: 'Soll', debitIsNegative: true },
        currency: { column: 'Währung' },
        date: 'Buchungstag',
        valueDate: 'Wertstellung',
        references: ['Kundenreferenz'],
        text: ['Verwendungszweck', 'Auftraggeber'],
        account: 'DE89370400440532013000',
      }),
    });
    expect(lines.map(brief)).toEqual([
      '5: 2026-01-31 value 2026-02-01 in 125000 EUR [INV-1] "Rechnung 1; Agnes Müller"',
      '6: 2026-01-31 out 8050 EUR [] "Miete; Haus und Hof"',
    ]);
    expect(statements).toMatchObject([{ account: 'DE89370400440532013000', currency: 'EUR', lines: 2 }]);
  });

  test('with an indicator column, bars, and rows that are ignored', async () => {
    const { lines } = await readAll('csv', fixture('csv-indicator.csv'), {
      mapping: csvMapping.parse({
        delimiter: '|',
        dateFormat: 'YYYYMMDD',
        decimalMark: ',',
        amount: { kind: 'indicator', column: 'bedrag', indicator: 'af bij', in: ['Bij'], out: ['Af'] },
        currency: { code: 'EUR' },
        date: 'datum',
        text: ['Naam', 'Mededelingen'],
        ignore: [{ column: 'Status', values: ['VERWACHT'] }],
      }),
    });
    expect(lines.map(brief)).toEqual([
      '2: 2026-01-31 in 9995 EUR [] "P. de Vries; Factuur 17"',
      '3: 2026-01-31 out 4500 EUR [] "Energie; Januari"',
    ]);
  });

  test('with tabs, all ways to write a sign, a fee, a batch and several references', async () => {
    const { lines } = await readAll('csv', fixture('csv-signed.csv'), {
      mapping: csvMapping.parse({
        delimiter: '\t',
        dateFormat: 'M/D/YY',
        thousandsSeparator: ',',
        plusSign: true,
        trailingMinus: true,
        parentheses: true,
        amount: { kind: 'signed', column: 'Amount' },
        currency: { code: 'USD' },
        date: 'Date',
        references: ['Reference', 'Order'],
        text: ['Payee'],
        fee: 'Fee',
        batch: 'Order',
      }),
    });
    expect(lines.map(brief)).toEqual([
      '2: 2026-01-31 in 123450 fee 150 USD [INV-1 O-1] "A. Smith" batch=O-1',
      '3: 2026-01-31 out 8050 USD [O-2] "B. Jones" batch=O-2',
      '4: 2026-02-01 out 300 USD [INV-3 O-2] "Bank" batch=O-2',
    ]);
  });

  test('in UTF-16 and ISO-8859-1', async () => {
    const text = csv('2026-01-31,1.00,Ærø');
    const expected = ['2: 2026-01-31 in 100 EUR [Ærø] ""'];
    expect(await read(Buffer.from(`\uFEFF${text}`, 'utf16le'), { encoding: 'utf-16le' })).toEqual(expected);
    expect(await read(Buffer.from(text, 'latin1'), { encoding: 'iso-8859-1' })).toEqual(expected);
  });

  test('with a fixed meaning of the sign, and empty lines', async () => {
    const amount = { kind: 'signed', column: 'amount', positive: 'out' } as const;
    expect(await read(`\n${csv('2026-01-31,1.00,A', '', '2026-01-31,-2.00,B')}\r\n`, { amount })).toEqual([
      '3: 2026-01-31 out 100 EUR [A] ""',
      '5: 2026-01-31 in 200 EUR [B] ""',
    ]);
  });

  test.each<[string, string, string]>([
    ['YYYY-MM-DD', '2026-01-02', '2026-01-02'],
    ['D.M.YYYY', '2.1.2026', '2026-01-02'],
    ['DD/MM/YY', '02/01/26', '2026-01-02'],
    ['DD/MM/YY', '02/01/98', '1998-01-02'],
    ['YYYY.MM.DD', '2026.01.02 13:45:10', '2026-01-02'],
    ['iso', '2026-01-02T23:30:00.5-05:00', '2026-01-02'],
    ['iso', '2026-01-02 23:30', '2026-01-02'],
  ])('with days like %s: %s', async (dateFormat, text, day) => {
    expect(await read(csv(`${text},1.00,A`), { dateFormat })).toEqual([`2: ${day} in 100 EUR [A] ""`]);
  });

  test('up to its footer, which may not be within a quoted field', async () => {
    const rows = csv('2026-01-31,1.00,"A', 'Total"', '2026-01-31,2.00,B', 'Total,"3.00');
    expect((await failure('csv', rows, mapped({ footer: 'Total' }))).reason).toMatch(/control characters/);
    expect(await read(csv('2026-01-31,2.00,B', 'Total,"3.00'), { footer: 'Total' })).toHaveLength(1);
  });
});

describe('a CSV file is refused, with the line and the reason', () => {
  const good = '2026-01-31,1.00,A';
  test.each<[string, string | Uint8Array, number | null, RegExp, Partial<Input>?]>([
    ['when it is empty', '', null, /empty/],
    ['when it has empty lines only', '\n\n', 3, /must name the columns/],
    ['when a column is missing, with those that are there', 'date,ref\n', 1, /no "amount"; it has "date", "ref"/],
    ['when a column is there twice', 'date,amount,ref,REF\n', 1, /"ref" is there twice/],
    ['when a line has too few fields', csv(good, '2026-01-31,1.00'), 3, /2 fields.*has 3/],
    ['when the last line is cut off', csv(good).slice(0, -4), 2, /2 fields.*has 3/],
    ['when a line has too many fields', csv(`${good},x`), 2, /4 fields.*has 3/],
    ['when a quote is open', csv(good, '2026-01-31,1.00,"A'), 3, /never closed/],
    ['when a quote is in the middle', csv(good, '2026-01-31,1.00,A"B'), 3, /middle of a field/],
    ['when text comes after a quote', csv('2026-01-31,1.00,"A"B'), 2, /middle of a field/],
    ['when its footer is missing', csv(good), 3, /cut off.*"Total"/, { footer: 'Total' }],
    ['when a day is none', csv('2026-02-30,1.00,A'), 2, /date must be a day like 2026-01-31, not "2026-02-30"/],
    ['when a day is of another format', csv(good), 2, /like DD.MM.YYYY, not/, { dateFormat: 'DD.MM.YYYY' }],
    ['when an amount is none', csv('2026-01-31,1.0.0,A'), 2, /amount must be a number such as 1234.50, not "1.0.0"/],
    ['when an amount is empty', csv('2026-01-31,,A'), 2, /must be a number/],
    ['when an amount is zero', csv('2026-01-31,0.00,A'), 2, /greater than zero/],
    ['when an amount has too many decimals', csv('2026-01-31,1.000,A'), 2, /EUR has 2 decimals/],
    ['when an amount is too large', csv('2026-01-31,99999999999999.00,A'), 2, /at most 999999999999999/],
    [
      'when groups of digits are not of three',
      csv('2026-01-31,12 34.00,A'),
      2,
      /1 234.50/,
      { thousandsSeparator: ' ' },
    ],
    ['when a plus is not allowed', csv('2026-01-31,+1.00,A'), 2, /must be a number/],
    ['when a trailing minus is not allowed', csv('2026-01-31,1.00-,A'), 2, /must be a number/],
    ['when parentheses are not allowed', csv('2026-01-31,(1.00),A'), 2, /must be a number/],
    ['when a parenthesis is open', csv('2026-01-31,(1.00,A'), 2, /one sign/, { parentheses: true }],
    ['when a number has two signs', csv('2026-01-31,-1.00-,A'), 2, /one sign/, { trailingMinus: true }],
    [
      'when a sign is not of the kind',
      csv('2026-01-31,-1.00,A'),
      2,
      /without a minus/,
      { amount: { kind: 'unsigned', column: 'amount' } },
    ],
    ['when a reference is too long', csv(`2026-01-31,1.00,${'x'.repeat(141)}`), 2, /reference must have at most 140/],
    ['when a reference has a line end', csv(good, '2026-01-31,1.00,"A\nB"'), 3, /no control characters/],
    ['when a reference must be there', csv('2026-01-31,1.00,'), 2, /no reference \(ref\)/, { referenceRequired: true }],
    ['when a fee is below zero', csv('2026-01-31,1.00,-1'), 2, /ref must be without a minus/, { fee: 'ref' }],
    ['when a currency does not exist', csv(good), 2, /ISO 4217.*"A"/, { currency: { column: 'ref' } }],
    ['when it has zero bytes', csv('2026-01-31,1.00,\0'), 1, /zero bytes/],
    [
      'when it is not of its encoding',
      Buffer.from(csv('2026-01-31,1.00,Æ'), 'latin1'),
      null,
      /not UTF-8.*say its encoding/,
    ],
    ['when a character is cut off', Buffer.from(csv('2026-01-31,1.00,Æ')).subarray(0, -2), null, /not UTF-8/],
  ])('%s', async (_name, file, line, reason, input) => {
    const error = await failure('csv', file, mapped(input));
    expect(error.message).toMatch(reason);
    if (line !== null) expect(error.line).toBe(line);
  });

  test.each<[string, RegExp]>([
    ['1.00,2.00', /both have one/],
    [',0.00', /both are empty/],
    ['-1.00,', /c must be without a minus/],
    [',-1.00', /d must be without a minus/],
  ])('when credit and debit are %s', async (amounts, reason) => {
    const amount = { kind: 'split', credit: 'c', debit: 'd' } as const;
    const error = await failure('csv', `date,c,d,ref\n2026-01-31,${amounts},A\n`, mapped({ amount }));
    expect(error.message).toMatch(reason);
  });

  test('when a debit is not written with a minus, or an indicator is unknown', async () => {
    const split = { kind: 'split', credit: 'amount', debit: 'ref', debitIsNegative: true } as const;
    expect((await failure('csv', csv('2026-01-31,,1.00'), mapped({ amount: split }))).reason).toMatch(/with a minus/);
    const indicator = { kind: 'indicator', column: 'amount', indicator: 'ref', in: ['C'], out: ['D'] } as const;
    const error = await failure('csv', csv(good), mapped({ amount: { ...indicator, in: ['C'], out: ['D'] } }));
    expect(error.reason).toMatch(/ref must be one of C, D, not "A"/);
  });

  test('at what is wrong first', async () => {
    const error = await failure('csv', csv(good, '2026-13-31,1.00,A', good, '2026-01-31,1.00,A"B'), mapped());
    expect(error.message).toMatch(/^line 3: date/);
  });

  test('when it asks for too much', async () => {
    const limited = (file: string, limits: object) => failure('csv', file, { ...mapped(), limits });
    expect(await limited(csv(good, good), { linesMax: 1 })).toMatchObject({ line: 3, code: 'statement_too_large' });
    const long = csv(`2026-01-31,1.00,${'x'.repeat(300)}`);
    expect(await limited(long, { recordCharactersMax: 100 })).toMatchObject({ line: 2, code: 'statement_too_large' });
    expect((await limited(`"${'x'.repeat(300)}`, { recordCharactersMax: 100 })).reason).toMatch(/is a quote open/);
  });
});

describe('a mapping is refused', () => {
  test.each<[string, object, RegExp]>([
    ['with an unknown key', { comma: true }, /comma/],
    ['with a delimiter that is none', { delimiter: ':' }, /delimiter/],
    ['with a date format that is none', { dateFormat: 'DD.MM' }, /name year, month and day once each/],
    ['with letters in its date format', { dateFormat: 'DD MMM YYYY' }, /name year, month and day/],
    ['with one mark for decimals and thousands', { thousandsSeparator: '.' }, /another character than decimalMark/],
    ['with a currency that does not exist', { currency: { code: 'EUX' } }, /ISO 4217/],
    [
      'with an indicator of two meanings',
      { amount: { kind: 'indicator', column: 'a', indicator: 'b', in: ['X'], out: ['x'] } },
      /in the list of in/,
    ],
    ['without a known kind of amount', { amount: { kind: 'guess' } }, /kind/],
  ])('%s', (_name, input, reason) => {
    const result = csvMapping.safeParse({ ...BASE, ...input });
    expect(result.error?.message).toMatch(reason);
  });
});

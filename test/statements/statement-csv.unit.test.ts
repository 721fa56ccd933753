import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CURRENCIES, minorUnitDigits } from '../../src/ledger/currencies.ts';
import { formatMoney } from '../../src/ledger/money.ts';
import {
  dayText,
  parseDay,
  parseMajorUnits,
  StatementError,
  type StatementRecord,
} from '../../src/statements/statement.ts';
import { type CsvLimits, parseStatementCsv } from '../../src/statements/statement-csv.ts';
import { each } from '../verification/model.ts';

const HEADER = 'reference,amount,currency,date';
const LINE = 'INV-1,12.34,EUR,2026-01-31';

async function read(input: string | Uint8Array, limits?: CsvLimits): Promise<StatementRecord[]> {
  const records: StatementRecord[] = [];
  for await (const record of parseStatementCsv(each([input]), limits)) records.push(record);
  return records;
}

const failure = (input: string | Uint8Array, limits?: CsvLimits) =>
  read(input, limits).then(
    () => null,
    (error: unknown) => error,
  );

const EXPECTED = { reference: 'INV-1', amount: 1_234n, currency: 'EUR', day: 20_484, id: null, description: null };

describe('a statement is read', () => {
  test.each([
    ['with LF', `${HEADER}\n${LINE}\n`, 2],
    ['with CRLF', `${HEADER}\r\n${LINE}\r\n`, 2],
    ['with both', `${HEADER}\n\r\n${LINE}\r\n`, 3],
    ['without a last line end', `${HEADER}\n${LINE}`, 2],
    ['with a byte order mark', `\uFEFF${HEADER}\r\n${LINE}\r\n`, 2],
    ['with empty lines', `\n${HEADER}\n\n\n${LINE}\n\n`, 5],
    ['with spaces around fields', `reference , amount, currency,date\nINV-1 , 12.34,EUR, 2026-01-31\n`, 2],
    ['with all fields quoted', `"reference","amount","currency","date"\n"INV-1","12.34","EUR","2026-01-31"\n`, 2],
    ['with columns in another order and case', `Date,AMOUNT,Reference,Currency\n2026-01-31,12.34,INV-1,EUR\n`, 2],
    ['with other columns', `${HEADER},balance,balance\n${LINE},1,2\n`, 2],
  ])('%s', async (_name, csv, line) => {
    expect(await read(csv)).toEqual([{ ...EXPECTED, line }]);
  });

  test('with id and description, quotes, commas and line ends in a field, and the line on which each record ends', async () => {
    const csv = `${HEADER},id,description\r\n${LINE},B-1,"rent, ""March""\r\nand April"\r\n${LINE},B-2,æøå\r\n`;
    const records = await read(csv);
    expect(records).toEqual([
      { ...EXPECTED, line: 3, id: 'B-1', description: 'rent, "March"\nand April' },
      { ...EXPECTED, line: 4, id: 'B-2', description: 'æøå' },
    ]);
  });

  test('with no records', async () => {
    expect(await read(`${HEADER}\n`)).toEqual([]);
  });

  test('the same however it is cut into chunks', async () => {
    const bytes = Buffer.from(`\uFEFF${HEADER},description\r\n${LINE},"æ\r\n€"\r\n${LINE},😀\r\n`);
    const whole = await read(bytes);
    expect(whole).toHaveLength(2);
    for (let size = 1; size < 12; size++) {
      const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
        bytes.subarray(i * size, (i + 1) * size),
      );
      const records = [];
      for await (const record of parseStatementCsv(each(chunks))) records.push(record);
      expect(records).toEqual(whole);
    }
  });
});

describe('a damaged statement is refused with its line', () => {
  const second = (line: string) => `${HEADER}\n${LINE}\n${line}\n${LINE}\n`;
  test.each<[string, string | Uint8Array, number | null, RegExp]>([
    ['an empty file', '', 1, /empty.*reference, amount, currency, date/],
    ['empty lines only', '\n\r\n\n', 1, /empty/],
    ['no header', `${LINE}\n`, 1, /missing: reference, amount, currency, date/],
    ['missing columns', 'reference,date\n', 1, /missing: amount, currency/],
    ['a column twice', `${HEADER},amount\n`, 1, /amount twice/],
    ['semicolons', `${HEADER.replaceAll(',', ';')}\n`, 1, /missing/],
    ['a missing field', second('INV-2,1.00,EUR'), 3, /more or fewer fields/],
    ['a field too many', second(`${LINE},x`), 3, /more or fewer fields/],
    ['a decimal comma', second('INV-2,1,00,EUR,2026-01-31'), 3, /more or fewer fields/],
    ['an open quote', second('"INV-2,1.00,EUR,2026-01-31'), null, /quote is opened and never closed/],
    ['a quote within a field', second('INV"2,1.00,EUR,2026-01-31'), 3, /middle of a field/],
    ['text after a quote', second('"INV"2,1.00,EUR,2026-01-31'), 3, /middle of a field/],
    ['no reference', second(',1.00,EUR,2026-01-31'), 3, /reference is empty/],
    ['a long reference', second(`${'x'.repeat(141)},1.00,EUR,2026-01-31`), 3, /more than 140 characters/],
    ['a long record', second('x'.repeat(20_000)), 3, /more than 16384 characters/],
    ['no amount', second('INV-2,,EUR,2026-01-31'), 3, /amount must be digits/],
    ['too many decimals', second('INV-2,1.005,EUR,2026-01-31'), 3, /EUR has 2 decimals/],
    ['an unknown currency', second('INV-2,1.00,EUX,2026-01-31'), 3, /ISO 4217/],
    ['a currency in lower case', second('INV-2,1.00,eur,2026-01-31'), 3, /ISO 4217/],
    ['a day that is none', second('INV-2,1.00,EUR,2026-02-30'), 3, /date must be like/],
    ['another way to write a day', second('INV-2,1.00,EUR,31.01.2026'), 3, /date must be like/],
    ['a zero byte', second('INV\0,1.00,EUR,2026-01-31'), null, /zero bytes/],
    ['UTF-16', Buffer.from(`\uFEFF${HEADER}`, 'utf16le'), null, /not UTF-8/],
    ['Latin-1', Buffer.from(second('Ærø,1.00,EUR,2026-01-31'), 'latin1'), null, /not UTF-8/],
    ['half a character at the end', Buffer.from(`${HEADER}\n€`).subarray(0, -1), null, /not UTF-8/],
  ])('%s', async (_name, csv, line, reason) => {
    const error = await failure(csv);
    expect(error).toBeInstanceOf(StatementError);
    expect((error as StatementError).reason).toMatch(reason);
    expect((error as StatementError).code).toBe('statement_invalid');
    if (line !== null)
      expect(error).toMatchObject({ line, message: expect.stringMatching(new RegExp(`^line ${line}: `)) });
  });

  test('an error of the source stays what it is', async () => {
    const source = (async function* () {
      yield `${HEADER}\n`;
      throw new Error('connection lost');
    })();
    await expect(parseStatementCsv(source).next()).rejects.toThrow('connection lost');
  });

  test.each<[string, CsvLimits]>([
    ['bytes', { bytesMax: 40 }],
    ['records', { recordsMax: 1 }],
  ])('too many %s', async (_name, limits) => {
    const error = await failure(`${HEADER}\n${LINE}\n${LINE}\n`, limits);
    expect(error).toMatchObject({ code: 'statement_too_large', reason: expect.stringContaining('split it by period') });
  });

  test('and stops reading its source', async () => {
    let chunks = 0;
    const endless = (async function* () {
      for (; ; chunks++) yield chunks === 0 ? `${HEADER}\nbad line\n` : `${LINE}\n`.repeat(1_000);
    })();
    await expect(parseStatementCsv(endless).next()).rejects.toThrow('line 2');
    expect(chunks).toBeLessThan(100);
  });
});

describe('amounts in major units', () => {
  test.each<[string, string, bigint]>([
    ['12.34', 'EUR', 1_234n],
    ['12.3', 'EUR', 1_230n],
    ['12', 'EUR', 1_200n],
    ['0.01', 'EUR', 1n],
    ['007.10', 'EUR', 710n],
    ['1234', 'JPY', 1_234n],
    ['1.234', 'KWD', 1_234n],
    ['1.2345', 'CLF', 12_345n],
    ['9999999999999.99', 'EUR', 999_999_999_999_999n],
    ['0.07', 'EUR', 7n],
    ['1.10', 'EUR', 110n],
  ])('%s %s', (text, currency, amount) => {
    expect(parseMajorUnits(text, currency)).toBe(amount);
  });

  test.each([
    ['100.00', 'JPY'],
    ['100.', 'JPY'],
    ['1.2345', 'KWD'],
    ['1.000', 'EUR'],
    ['.50', 'EUR'],
    ['5.', 'EUR'],
    ['-5.00', 'EUR'],
    ['+5.00', 'EUR'],
    ['0.00', 'EUR'],
    ['0', 'JPY'],
    ['1,000.00', 'EUR'],
    ['1 000.00', 'EUR'],
    ['1e3', 'EUR'],
    ['0x10', 'EUR'],
    ['Infinity', 'EUR'],
    ['NaN', 'EUR'],
    ['١٢', 'EUR'],
    ['12.34 ', 'EUR'],
    ['', 'EUR'],
    ['10000000000000.00', 'EUR'],
    ['1000000000000000', 'JPY'],
    ['99999999999999999999', 'JPY'],
  ])('%s %s is refused in words', (text, currency) => {
    expect(parseMajorUnits(text, currency)).toMatch(/amount/);
  });

  test('are what is written for them, in every currency', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 1n, max: 999_999_999_999_999n }),
        fc.constantFrom(...CURRENCIES),
        (amount, currency) => {
          const text = formatMoney(amount, currency).slice(0, -4);
          expect(parseMajorUnits(text, currency)).toBe(amount);
          const longer = minorUnitDigits(currency) === 0 ? `${text}.1` : `${text}1`;
          expect(parseMajorUnits(longer, currency)).toBeTypeOf('string');
        },
      ),
    );
  });
});

describe('days', () => {
  test.each([
    ['2026-01-31', '2026-01-31'],
    ['2024-02-29', '2024-02-29'],
    ['2026-01-31T23:59:59Z', '2026-01-31'],
    ['2026-01-31T23:30:00-01:00', '2026-02-01'],
    ['2026-02-01T00:30:00.123+01:00', '2026-01-31'],
    ['2026-01-31t10:00:00z', '2026-01-31'],
    ['1970-01-01', '1970-01-01'],
  ])('%s is %s', (text, day) => {
    expect(dayText(parseDay(text)!)).toBe(day);
  });

  test.each([
    '',
    '2026-02-30',
    '2025-02-29',
    '2026-13-01',
    '2026-00-10',
    '2026-1-1',
    '20260131',
    '31.01.2026',
    '01/31/2026',
    '2026-01-31T10:00:00',
    '2026-01-31T24:00:00Z',
    '2026-01-31T10:00:60Z',
    '2026-02-30T10:00:00Z',
    '1969-12-31',
    '2026-01-31 and more',
  ])('%j is none', (text) => {
    expect(parseDay(text)).toBeNull();
  });
});

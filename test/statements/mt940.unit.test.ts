import { describe, expect, test } from 'vitest';
import { brief, failure, fixture, readAll } from './support/read.ts';

const plain = fixture('mt940-plain.sta').toString();

/** A bare message with a line of `:61:` and what follows it, in a statement that it does not change. */
const message = (line: string, more = '') =>
  `:20:X\n:25:ACCOUNT\n:28C:1\n:60F:C260131EUR10,00\n${line}\n${more}:62F:C260131EUR10,00\n`;
/** A line of 1.00 and what is said about it, and one that takes it back. */
const both = (information: string) =>
  message(`:61:260131C1,00NTRFNONREF\n:86:${information}`, ':61:260131D1,00NTRFNONREF\n');
const first = async (file: string | Uint8Array) =>
  brief((await readAll('mt940', file)).lines[0]!).replace(/^.* value \S+ /, '');

describe('MT940 is read', () => {
  test('in blocks, with entry dates around new year, reversals, supplements and plain information', async () => {
    const { lines, statements } = await readAll('mt940', plain);
    expect(lines.map(brief)).toEqual([
      '6: 2026-01-02 value 2025-12-31 in 25000 EUR [INV-1 BANK-1] "Invoice 1 of December paid by Anna Meyer; Supplement 1" id=BANK-1',
      '10: 2026-01-02 value 2026-01-02 out 8050 EUR [] ""',
      '11: 2026-01-02 value 2026-01-02 in 8050 EUR [BANK-3] "Return" id=BANK-3 reversal',
      '13: 2026-01-02 value 2026-01-02 out 50 EUR [FEE-1] "" reversal',
    ]);
    expect(statements).toEqual([
      {
        id: '00017',
        account: '37040044/0532013000',
        currency: 'EUR',
        from: 20_455,
        to: 20_455,
        opening: 100_000n,
        closing: 124_950n,
        lines: 4,
      },
    ]);
  });

  test('with structured information, in Windows-1252', async () => {
    const { lines } = await readAll('mt940', fixture('mt940-structured.sta'));
    expect(lines.map(brief)).toEqual([
      '5: 2026-01-31 value 2026-01-31 in 12000 EUR [INV-2026-00000000000000001 K-77 BANK-4711 M-1] "Rechnung 1 vom Januar mit Dank noch ein Wort; Agnes Müller und Co; GUTSCHRIFT" id=BANK-4711',
      '10: 2026-01-31 value 2026-01-31 out 2000 EUR [] "Miete Februar; Haus und Hof; UEBERWEISUNG"',
    ]);
  });

  test('with keywords between slashes, after lines in which a bank names itself', async () => {
    const { lines } = await readAll('mt940', fixture('mt940-slash.sta'));
    expect(lines.map(brief)).toEqual([
      '8: 2026-01-30 value 2026-01-30 in 9995 EUR [INV-17] "Factuur 2026-17; J. JANSEN"',
      '11: 2026-01-30 value 2026-01-30 in 1000 EUR [RF18539007547034] "RF18539007547034; P. DE VRIES"',
      '13: 2026-01-30 value 2026-01-30 out 100 EUR [KOSTEN-1 MANDAAT-3] "Kosten; BANK"',
    ]);
  });

  test('with several pages of one statement, and several statements', async () => {
    const { lines, statements } = await readAll('mt940', fixture('mt940-pages.sta'));
    expect(lines.map(brief)).toEqual([
      '7: 2026-01-30 value 2026-01-30 in 500 SEK [R-1] ""',
      '15: 2026-01-30 value 2026-01-30 out 2500 SEK [R-2] ""',
    ]);
    const account = 'SE3550000000054910000003';
    expect(statements).toEqual([
      { id: '5', account, currency: 'SEK', from: 20_483, to: 20_483, opening: 1_000n, closing: -1_000n, lines: 2 },
      { id: '6', account, currency: 'SEK', from: null, to: null, opening: -1_000n, closing: -1_000n, lines: 0 },
    ]);
  });

  test.each<[string, string | Uint8Array, string]>([
    ['UTF-8', both('Ærø'), 'Ærø'],
    ['Windows-1252', Buffer.from(both('M\u00fcller'), 'latin1'), 'Müller'],
    ['a byte order mark', `\uFEFF${both('x')}`, 'x'],
  ])('in %s', async (_name, file, text) => {
    expect(await first(file)).toBe(`in 100 EUR [] "${text}"`);
  });

  test('with a line that ends within a character of UTF-8', async () => {
    const bytes = Buffer.from(both('166?20Ærø'));
    const at = bytes.indexOf(0xc3) + 1;
    const wrapped = Buffer.concat([bytes.subarray(0, at), Buffer.from('\r\n'), bytes.subarray(at)]);
    expect(await first(wrapped)).toBe('in 100 EUR [] "Ærø"');
  });

  test.each<[string, string, string]>([
    ['260131C10,NMSCA/B', ':61:260131D10,NMSCA/B\n', 'in 1000 EUR [A/B] ""'],
    ['260131CR10,5NMSCX', ':61:260131D10,50NMSCY\n', 'in 1050 EUR [X] ""'],
    ['2402290229RC1,00FMSCX', ':61:260131C1,00NMSCX\n', '#'],
    ['260131C0,00NMSCX\n:61:260131C2,00NMSCY', ':61:260131D2,00NMSCY\n', 'in 200 EUR [Y] ""'],
  ])(':61:%s', async (line, more, expected) => {
    const { lines } = await readAll('mt940', message(`:61:${line}`, more));
    const found = brief(lines[0]!).replace(/^.* value \S+ /, '');
    expect(found).toBe(expected === '#' ? 'out 100 EUR [X] "" reversal' : expected);
  });

  test.each([
    ['251230', '0102', '2026-01-02'],
    ['260102', '1231', '2025-12-31'],
    ['260131', '0131', '2026-01-31'],
    ['231231', '0229', '2024-02-29'],
  ])('value date %s and entry date %s are of %s', async (value, entry, day) => {
    const { lines } = await readAll('mt940', message(`:61:${value}${entry}C1,00NMSCX`, ':61:260131D1,00NMSCX\n'));
    expect(brief(lines[0]!)).toMatch(new RegExp(`: ${day} value`));
  });
});

describe('an MT940 file is refused, with the line and the reason', () => {
  const bare = message(':61:260131C0,00NMSCX');
  const lines = (text: string) => text.replaceAll('\r\n', '\n');
  const pages = fixture('mt940-pages.sta').toString();
  test.each<[string, string | Uint8Array, number | null, RegExp]>([
    ['when it is cut off before its closing balance', fixture('damaged-mt940-no-closing.sta'), 13, /cut off.*-\}/],
    [
      'when its balances do not agree',
      fixture('damaged-mt940-balance.sta'),
      14,
      /1249\.50 EUR.*1249\.60 EUR.*0\.10 EUR/,
    ],
    ['when a day is none', fixture('damaged-mt940-date.sta'), 10, /"260231" is no day/],
    ['when an entry date is none', message(':61:2601310230C1,00NMSCX'), 5, /"0230" is no day/],
    ['when it is empty', '', null, /empty/],
    ['when it has no statement', 'nothing\n', 1, /no statement/],
    ['when it has no end of its block', lines(plain).replace('-}\n', ''), 16, /no end \(-\}\)/],
    ['when a block ends like a bare message', lines(plain).replace('-}\n', '-\n'), 17, /must end with -\}/],
    ['when a bare message ends like a block', `${bare}-}\n`, 7, /no beginning/],
    ['when it ends after a header', '{1:F01X}{2:I940X}\n', 1, /before the text/],
    ['when a message begins within another', lines(plain).replace(':64:', '{1:F01X}{4:\n:64:'), 15, /begins before/],
    ['when a bare message has no closing balance', bare.replace(/:62F:.*\n/, ''), 5, /without its closing balance/],
    ['when the next message begins before', bare.replace(/:62F:.*\n/, bare), 6, /without its closing balance/],
    ['when it is cut off within the closing balance', bare.slice(0, -2), 6, /cut off within/],
    ['when a page is missing at the end', pages.slice(0, pages.indexOf('{1:', 5)), 9, /last page is missing/],
    ['when a page is missing at the beginning', pages.slice(pages.indexOf('{1:', 5)), 6, /first page is missing/],
    ['when a page is missing between', pages.replace(':28C:5/2', ':28C:6/1'), 14, /a page is missing/],
    [
      'when a page does not go on from the one before',
      pages.replace(':60M:C260130SEK15', ':60M:C260130SEK16'),
      14,
      /16\.00 SEK.*15\.00 SEK/,
    ],
    ['when a line comes before the opening balance', ':20:X\n:61:260131C1,00NMSCX\n', 2, /before the opening balance/],
    ['when a line comes before the message', ':61:260131C1,00NMSCX\n', 1, /must come after :20:/],
    ['when a line comes after the closing balance', `${bare}:61:260131C1,00NMSCX\n`, 7, /before the closing balance/],
    ['when the opening balance comes twice', bare.replace(/(:60F:.*\n)/, '$1$1'), 5, /comes twice/],
    ['when a line is none', message(':61:260131X1,00NMSCX'), 5, /:61: must be like/],
    ['when an amount has too many decimals', message(':61:260131C1,001NMSCX'), 5, /EUR has 2 decimals/],
    ['when a balance is none', bare.replace(':60F:C', ':60F:X'), 4, /a balance must be like/],
    ['when a currency does not exist', bare.replace('131EUR', '131EUX'), 4, /ISO 4217.*"EUX"/],
    ['when the currencies differ', bare.replace(/EUR10,00\n$/, 'USD10,00\n'), 6, /in USD.*in EUR/],
    ['when it is MT942', ':20:X\n:34F:EUR0,\n', 2, /MT942/],
    ['when it is another message', '{1:F01X}{2:I103X}{4:\n', 1, /MT103.*MT940/],
    ['when a field is none', ':20:X\n:99:\n', 2, /:99: is no field/],
    ['when a block is none', '{9:x}\n', 1, /a block must be/],
  ])('%s', async (_name, file, line, reason) => {
    const error = await failure('mt940', file);
    expect(error.message).toMatch(reason);
    if (line !== null) expect(error.line).toBe(line);
  });

  test('when one line has too much information', async () => {
    expect((await failure('mt940', both(`x${'\n:86:x'.repeat(100)}`))).code).toBe('statement_too_large');
  });

  test('when a line or a field is too long', async () => {
    const limits = { recordCharactersMax: 100 };
    for (const file of [both('x'.repeat(101)), both(`${'x'.repeat(60)}\n${'y'.repeat(60)}`), 'x'.repeat(200)]) {
      expect((await failure('mt940', file, { limits })).code).toBe('statement_too_large');
    }
  });
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DEFAULT_CSV_MAPPING, DEFAULT_PSP_MAPPING } from '../../src/statements/mapping.ts';
import { detectFormat, STATEMENT_FORMATS, type StatementFormat, statementReader } from '../../src/statements/reader.ts';
import { StatementError } from '../../src/statements/statement.ts';
import { fixture, type Read, readAll, readChunks } from './support/read.ts';
import {
  movement,
  sampleLines,
  type WrittenLine,
  writeCamt053,
  writeCsv,
  writeMt940,
  writePsp,
} from './support/writers.ts';

const DAY = fc.integer({ min: 18_000, max: 22_000 });
const AMOUNT = fc.bigInt({ min: 1n, max: 99_999_999_999n });
const CURRENCY = fc.constantFrom('EUR', 'JPY', 'KWD');
const ID = fc.stringMatching(/^[A-Z0-9][A-Z0-9-]{0,14}$/);
const WORDS = (pattern: RegExp) =>
  fc.array(fc.stringMatching(pattern), { maxLength: 12 }).map((words) => words.join(' '));
/** Characters of SWIFT, which no keyword and no field begins with. */
const SWIFT_TEXT = WORDS(/^[a-z0-9.,()]{1,12}$/);
const ANY_TEXT = WORDS(/^[a-zæß€😀&<>"',;\\|]{1,9}$/u);

function linesOf(text: fc.Arbitrary<string>, parts: Partial<Record<keyof WrittenLine, fc.Arbitrary<unknown>>> = {}) {
  const line = fc.record({
    day: DAY,
    valueDay: DAY,
    amount: AMOUNT,
    direction: fc.constantFrom('in', 'out'),
    fee: fc.constant(0n),
    id: fc.option(ID.map((id) => `b${id}`)),
    batch: fc.constant(null),
    isReversal: fc.boolean(),
    text,
    references: fc.uniqueArray(ID, { maxLength: 1 }),
    ...parts,
  }) as fc.Arbitrary<Omit<WrittenLine, 'currency'>>;
  return fc
    .tuple(CURRENCY, fc.array(line, { maxLength: 20 }))
    .map(([currency, lines]) => lines.map((of): WrittenLine => ({ ...of, currency })));
}

/** Readers put a bank's own id last among the references. */
const withIds = (lines: readonly WrittenLine[]) =>
  lines.map((line) => (line.id === null ? line : { ...line, references: [...line.references, line.id] }));
const written = ({ lines }: Read) => lines.map(({ line: _, statement: __, count: ___, ...rest }) => rest);
const textOf = (parts: Iterable<string>) => [...parts].join('');

describe('what was written is read', () => {
  test('as camt.053 of any version, with fees and batches', async () => {
    const fee = fc.bigInt({ min: 0n, max: 500n });
    const lines = linesOf(ANY_TEXT, {
      references: fc.uniqueArray(ID, { maxLength: 3 }),
      amount: AMOUNT.map((amount) => amount + 1_000n),
      fee,
      direction: fc.constant('in'),
    });
    const version = fc.integer({ min: 2, max: 13 });
    const batches = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 20, maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(lines, version, batches, async (plain, of, sizes) => {
        // Consecutive lines get the same batch; what one has in common with the others is that of the first.
        const batched: WrittenLine[] = [];
        for (const [i, size] of sizes.entries()) {
          const members = plain.slice(batched.length, batched.length + size);
          const { day, valueDay, isReversal } = members[0] ?? {};
          const common = { day: day!, valueDay: valueDay!, isReversal: isReversal!, fee: 0n, batch: `BATCH-${i}` };
          batched.push(...(members.length > 1 ? members.map((member) => ({ ...member, ...common })) : members));
        }
        const currency = plain[0]?.currency ?? 'EUR';
        const xml = textOf(writeCamt053(withIds(batched), { version: of, currency, opening: -5n }));
        const read = await readAll('camt053', xml);
        expect(written(read)).toEqual(withIds(batched));
        const closing = batched.reduce((sum, line) => sum + movement(line), -5n);
        expect(read.statements).toMatchObject([{ opening: -5n, closing, currency, lines: plain.length }]);
      }),
    );
  });

  test('as MT940 in each way to write information, with and without blocks, of any number of pages', async () => {
    // An entry date says no year, so it is near to the day of value.
    const lines = linesOf(SWIFT_TEXT, { day: fc.integer({ min: -100, max: 100 }) }).map((all) =>
      all.map((line) => ({ ...line, day: line.valueDay! + line.day })),
    );
    const options = fc.record({
      style: fc.constantFrom('plain' as const, 'structured' as const, 'slash' as const),
      isInBlocks: fc.boolean(),
      linesOfPage: fc.integer({ min: 1, max: 30 }),
      opening: fc.bigInt({ min: -1_000n, max: 1_000n }),
    });
    await fc.assert(
      fc.asyncProperty(lines, options, async (plain, of) => {
        const currency = plain[0]?.currency ?? 'EUR';
        const read = await readAll('mt940', textOf(writeMt940(withIds(plain), { ...of, currency })));
        const joined = (line: WrittenLine) => ({ ...line, text: line.text.replaceAll(/\s/g, '') });
        expect(written(read).map(joined)).toEqual(withIds(plain).map(joined));
        const closing = plain.reduce((sum, line) => sum + movement(line), of.opening);
        expect(read.statements).toMatchObject([{ opening: of.opening, closing, currency, lines: plain.length }]);
      }),
    );
  });

  const csvOptions = fc.record({
    delimiter: fc.constantFrom(',' as const, ';' as const, '\t' as const, '|' as const),
    isQuoted: fc.boolean(),
    lineEnd: fc.constantFrom('\n', '\r\n'),
  });
  const reference = { references: fc.uniqueArray(ID, { minLength: 1, maxLength: 1 }), valueDay: fc.constant(null) };

  test('as CSV with any delimiter, quotes and line ends', async () => {
    const lines = linesOf(ANY_TEXT, { ...reference, direction: fc.constant(null), isReversal: fc.constant(false) });
    await fc.assert(
      fc.asyncProperty(lines, csvOptions, async (plain, options) => {
        const mapping = { ...DEFAULT_CSV_MAPPING, delimiter: options.delimiter };
        expect(written(await readAll('csv', textOf(writeCsv(plain, options)), { mapping }))).toEqual(plain);
      }),
    );
  });

  test('as a settlement report, the payouts of which add up', async () => {
    const lines = linesOf(ANY_TEXT, { ...reference, fee: fc.bigInt({ min: 0n, max: 500n }) });
    await fc.assert(
      fc.asyncProperty(lines, csvOptions, fc.integer({ min: 1, max: 5 }), async (plain, options, size) => {
        const rows = plain.map((line, i) => {
          const direction = line.isReversal ? ('out' as const) : line.direction;
          return { ...line, direction, batch: `P-${Math.floor(i / size)}` };
        });
        const mapping = { ...DEFAULT_PSP_MAPPING, delimiter: options.delimiter };
        expect(written(await readAll('psp', textOf(writePsp(rows, options)), { mapping }))).toEqual(rows);
      }),
    );
  });
});

const FILES: readonly (readonly [StatementFormat, Buffer])[] = [
  ['camt053', fixture('camt053-v02.xml')],
  ['camt053', fixture('camt053-prefix-latin1.xml')],
  ['camt053', Buffer.from(fixture('camt053-v13.xml').toString().replace('&#252;', 'ü😀'))],
  [
    'camt053',
    Buffer.from(`\uFEFF${fixture('camt053-v08.xml').toString().replace(' encoding="UTF-8"', '')}`, 'utf16le'),
  ],
  ['mt940', fixture('mt940-plain.sta')],
  ['mt940', fixture('mt940-structured.sta')],
  ['mt940', fixture('mt940-pages.sta')],
  ['csv', Buffer.from(fixture('csv-default.csv').toString().replaceAll('\n', '\r\n').replace('rent', 'r€nt😀'))],
  ['psp', fixture('psp-report.csv')],
];

describe.each(FILES.map(([format, bytes], i) => ({ name: `${format} (${i})`, format, bytes })))(
  'a file of $name',
  ({ format, bytes }) => {
    test('reads the same wherever it is cut into two chunks', async () => {
      const whole = await readAll(format, bytes);
      const step = Math.max(1, Math.floor(bytes.length / 400));
      for (let at = 0; at <= bytes.length; at += step) {
        expect(await readChunks(format, [bytes.subarray(0, at), bytes.subarray(at)])).toEqual(whole);
      }
    });

    test('reads the same in chunks of any small size', async () => {
      const whole = await readAll(format, bytes);
      for (const size of [1, 2, 3, 7, 64]) {
        const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
          bytes.subarray(i * size, (i + 1) * size),
        );
        expect(await readChunks(format, chunks)).toEqual(whole);
      }
    });

    test('is refused with the same error wherever it is cut into chunks', async () => {
      const half = bytes.subarray(0, Math.floor(bytes.length / 2));
      const outcome = (chunks: Uint8Array[]) =>
        readChunks(format, chunks).then(String, (error: Error) => error.message);
      const whole = await outcome([half]);
      for (let at = 1; at < half.length; at += 97) {
        expect(await outcome([half.subarray(0, at), half.subarray(at)])).toBe(whole);
      }
    });

    test('ends in a StatementError, if in any, when a byte of it is another', async () => {
      const place = fc.tuple(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }));
      await fc.assert(
        fc.asyncProperty(fc.array(place, { minLength: 1, maxLength: 3 }), async (places) => {
          const damaged = Buffer.from(bytes);
          for (const [at, mask] of places) damaged[at]! ^= mask;
          await readAll(format, damaged).catch((error: unknown) => expect(error).toBeInstanceOf(StatementError));
        }),
        { numRuns: 300 },
      );
    });
  },
);

describe('a file that is cut off', () => {
  const lines = [...sampleLines(30)];
  test.each<[string, StatementFormat, string, string]>([
    ['camt.053', 'camt053', textOf(writeCamt053(lines)), '>'],
    ['MT940 in blocks', 'mt940', textOf(writeMt940(lines)), '-}'],
    ['MT940 in pages', 'mt940', textOf(writeMt940(lines, { linesOfPage: 10 })), '-}'],
    ['MT940 without blocks', 'mt940', textOf(writeMt940(lines, { isInBlocks: false })), '\r\n-\r\n'],
  ])('is refused wherever: %s', async (_name, format, text, end) => {
    const last = text.lastIndexOf(end) + (end.startsWith('\r') ? 0 : end.length);
    await readAll(format, text.slice(0, last));
    for (let at = last - 1; at >= 0; at -= at > last - 300 ? 1 : 37) {
      await expect(readAll(format, text.slice(0, at))).rejects.toBeInstanceOf(StatementError);
    }
  });
});

describe('a reader', () => {
  test('gives batches of at most 1,000 lines, whatever the chunks', async () => {
    const text = Buffer.from(textOf(writeCsv(sampleLines(20_000))));
    const sizes: number[] = [];
    const source = (async function* () {
      yield text;
    })();
    const reader = statementReader('csv');
    for await (const batch of reader.read(source)) sizes.push(batch.length);
    expect(sizes.reduce((sum, size) => sum + size)).toBe(20_000);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(1_000);
    expect(Math.min(...sizes.slice(0, -1))).toBeGreaterThanOrEqual(500);
    expect(reader.statements).toMatchObject([{ lines: 20_000 }]);
  });

  test('also of an entry of many transactions', async () => {
    const batch = [...sampleLines(2_500)].map((line) => ({ ...line, batch: 'B' }));
    const { lines } = await readAll('camt053', textOf(writeCamt053(batch)));
    expect(lines).toHaveLength(2_500);
  });

  test('reads one file', async () => {
    const reader = statementReader('csv');
    const empty = (async function* (): AsyncGenerator<Uint8Array> {})();
    await expect(reader.read(empty)[Symbol.asyncIterator]().next()).rejects.toThrow('the file is empty');
    await expect(reader.read(empty)[Symbol.asyncIterator]().next()).rejects.toThrow('one file, once');
  });

  test('passes an error of its source on, and stops reading at one of the file', async () => {
    let chunks = 0;
    const source = (async function* () {
      for (;;) {
        if (++chunks === 3) throw new Error('connection lost');
        yield Buffer.from(chunks === 1 ? 'reference,amount,currency,date\n' : 'A,1.00,EUR,2026-01-31\n');
      }
    })();
    await expect(statementReader('csv').read(source)[Symbol.asyncIterator]().next()).rejects.toThrow('connection lost');
    chunks = 4;
    const endless = (async function* () {
      for (; ; chunks++) yield Buffer.from('no header\n');
    })();
    await expect(statementReader('csv').read(endless)[Symbol.asyncIterator]().next()).rejects.toThrow('line 1');
    expect(chunks).toBe(4);
  });

  test('has no mapping but one for its format', () => {
    expect(() => statementReader('camt053', { mapping: DEFAULT_CSV_MAPPING })).toThrow(RangeError);
    expect(() => statementReader('csv', { mapping: DEFAULT_PSP_MAPPING })).toThrow(RangeError);
    expect(() => statementReader('psp', { mapping: DEFAULT_CSV_MAPPING })).toThrow(RangeError);
  });
});

describe('the format of a file', () => {
  test.each<[StatementFormat | null, string]>([
    ['camt053', 'camt053-v02.xml'],
    ['camt053', 'camt053-prefix-latin1.xml'],
    ['mt940', 'mt940-plain.sta'],
    ['mt940', 'mt940-structured.sta'],
    ['mt940', 'mt940-slash.sta'],
    ['mt940', 'mt940-pages.sta'],
    ['csv', 'csv-default.csv'],
    ['csv', 'csv-debit-credit.csv'],
    ['csv', 'csv-indicator.csv'],
    ['csv', 'csv-signed.csv'],
    ['psp', 'psp-report.csv'],
  ])('is %s: %s', (format, name) => {
    expect(detectFormat(fixture(name))).toBe(format);
    expect(format === null || STATEMENT_FORMATS.includes(format)).toBe(true);
  });

  test.each<[string, Uint8Array]>([
    ['nothing', Buffer.alloc(0)],
    ['another XML', Buffer.from('<html></html>')],
    ['a PDF', Buffer.from('%PDF-1.7\n%\u00e2\u00e3\n1 0 obj')],
    ['an archive', Buffer.from('PK\u0003\u0004,,,\u0000')],
  ])('is not known of %s', (_name, head) => {
    expect(detectFormat(head)).toBeNull();
  });

  test('is known by a byte order mark and in UTF-16', () => {
    const xml = fixture('camt053-v08.xml').toString();
    expect(detectFormat(Buffer.from(`\uFEFF${xml}`))).toBe('camt053');
    expect(detectFormat(Buffer.from(`\uFEFF${xml}`, 'utf16le'))).toBe('camt053');
    expect(detectFormat(Buffer.from(`\uFEFF${xml}`, 'utf16le').swap16())).toBe('camt053');
  });
});

import { finished, Readable } from 'node:stream';
import { CsvError, parse } from 'csv-parse';
import { isCurrency } from '../ledger/currencies.ts';
import { parseDay, parseMajorUnits, quoted, StatementError, type StatementRecord } from './statement.ts';

const REQUIRED = ['reference', 'amount', 'currency', 'date'] as const;
const OPTIONAL = ['id', 'description'] as const;
type Column = (typeof REQUIRED)[number] | (typeof OPTIONAL)[number];
const KNOWN: ReadonlySet<string> = new Set([...REQUIRED, ...OPTIONAL]);

const TEXT_MAX: Readonly<Record<'reference' | 'id' | 'description', number>> = {
  reference: 140,
  id: 140,
  description: 500,
};
const RECORD_CHARACTERS_MAX = 16_384;
const MIB = 1_048_576;

export interface CsvLimits {
  /** Default 50 MiB. */
  readonly bytesMax?: number | undefined;
  /** Default 500,000: what a comparison keeps in memory grows with it. */
  readonly recordsMax?: number | undefined;
}

/**
 * Reads a CSV statement, one record at a time, in memory of one record.
 *
 * UTF-8 (a byte order mark is allowed), comma-separated, quoted with `"`, lines end with LF or CRLF. The first line names
 * the columns, in any order and case: `reference`, `amount` (major units, `12.34`), `currency`, `date` (`YYYY-MM-DD` or
 * RFC 3339), and perhaps `id` and `description`; others are ignored, empty lines too.
 *
 * @throws StatementError at the first line that is wrong. So use nothing of what came before until all has come.
 */
export async function* parseStatementCsv(
  input: AsyncIterable<Uint8Array | string>,
  { bytesMax = 50 * MIB, recordsMax = 500_000 }: CsvLimits = {},
): AsyncGenerator<StatementRecord> {
  const header = new Header();
  const parser = parse({
    bom: true,
    columns: (names: string[]) => header.read(names),
    info: true,
    max_record_size: RECORD_CHARACTERS_MAX,
    record_delimiter: '\n',
    skip_empty_lines: true,
    trim: true,
  });
  const source = Readable.from(bounded(input, bytesMax, () => parser.info.lines));
  // Not `pipeline`: it would replace an error of the source, which says the line, by an AbortError.
  finished(source, (error) => error && parser.destroy(error));
  source.pipe(parser);
  try {
    let records = 0;
    for await (const { record, info } of parser as AsyncIterable<{
      record: Record<Column, string>;
      info: { lines: number };
    }>) {
      if (++records > recordsMax) throw tooLarge(`the statement has more than ${recordsMax} records`, info.lines);
      yield recordOf(record, info.lines);
    }
    if (!header.seen)
      throw new StatementError(`the file is empty; its first line must name the columns ${REQUIRED.join(', ')}`, 1);
  } catch (error) {
    throw error instanceof CsvError ? csvError(error, parser.info.lines) : error;
  } finally {
    source.destroy();
    parser.destroy();
  }
}

function tooLarge(reason: string, line: number | null): StatementError {
  return new StatementError(`${reason}; split it by period`, line, { code: 'statement_too_large' });
}

class Header {
  seen = false;

  /** Names of the columns for the parser; an ignored one is `false`. */
  read(names: readonly string[]): (Column | false)[] {
    this.seen = true;
    const columns = names.map((name) => name.trim().toLowerCase());
    const missing = REQUIRED.filter((column) => !columns.includes(column));
    if (missing.length > 0) {
      throw new StatementError(
        `the first line must name the columns ${REQUIRED.join(', ')}; missing: ${missing.join(', ')}`,
        1,
      );
    }
    const twice = columns.find((column, i) => KNOWN.has(column) && columns.indexOf(column) !== i);
    if (twice !== undefined) throw new StatementError(`the first line names the column ${twice} twice`, 1);
    return columns.map((column) => KNOWN.has(column) && (column as Column));
  }
}

/**
 * Counts the bytes, makes sure that they are UTF-8 (a reference with replacement characters matches nothing), and
 * ends every line with LF alone, because the parser counts a CRLF within quotes as two lines.
 */
async function* bounded(
  input: AsyncIterable<Uint8Array | string>,
  bytesMax: number,
  line: () => number,
): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  let bytes = 0;
  let held = '';
  for await (const chunk of input) {
    const buffer = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    bytes += buffer.length;
    if (bytes > bytesMax) throw tooLarge(`the file is larger than ${bytesMax} bytes`, null);
    const text = held + decode(() => decoder.decode(buffer, { stream: true }), line);
    if (text.includes('\0')) throw new StatementError('the file holds zero bytes; it is not a text file', line());
    // The LF that belongs to a CR at the end may be in the next chunk.
    held = text.endsWith('\r') ? '\r' : '';
    const whole = held === '' ? text : text.slice(0, -1);
    if (whole.length > 0) yield whole.replaceAll('\r\n', '\n');
  }
  decode(() => decoder.decode(), line);
  if (held !== '') yield held;
}

function decode(run: () => string, line: () => number): string {
  try {
    return run();
  } catch (cause) {
    throw new StatementError(`the file is not UTF-8 (at or after line ${line()}); save it as UTF-8`, null, { cause });
  }
}

function recordOf(record: Record<Column, string | undefined>, line: number): StatementRecord {
  const currency = record.currency ?? '';
  if (!isCurrency(currency)) {
    throw new StatementError(`the currency must be an ISO 4217 code such as EUR, not ${quoted(currency)}`, line);
  }
  const amount = parseMajorUnits(record.amount ?? '', currency);
  if (typeof amount === 'string') throw new StatementError(amount, line);
  const day = parseDay(record.date ?? '');
  if (day === null) {
    throw new StatementError(
      `the date must be like 2026-01-31 or an RFC 3339 time, not ${quoted(record.date ?? '')}`,
      line,
    );
  }
  const reference = text(record, 'reference', line);
  if (reference === null) throw new StatementError('the reference is empty', line);
  return {
    line,
    reference,
    amount,
    currency,
    day,
    id: text(record, 'id', line),
    description: text(record, 'description', line),
  };
}

function text(record: Record<Column, string | undefined>, column: keyof typeof TEXT_MAX, line: number): string | null {
  const value = record[column] ?? '';
  if (value.length <= TEXT_MAX[column]) return value === '' ? null : value;
  throw new StatementError(`the ${column} has more than ${TEXT_MAX[column]} characters`, line);
}

function csvError(error: CsvError, lines: number): StatementError {
  return new StatementError(csvReason(error), typeof error.lines === 'number' ? error.lines : Math.max(1, lines), {
    cause: error,
  });
}

function csvReason(error: CsvError): string {
  switch (error.code) {
    case 'CSV_RECORD_INCONSISTENT_COLUMNS':
    case 'CSV_RECORD_INCONSISTENT_FIELDS_LENGTH':
      return 'the line has more or fewer fields than the first line';
    case 'CSV_QUOTE_NOT_CLOSED':
      return 'a quote is opened and never closed';
    case 'INVALID_OPENING_QUOTE':
    case 'CSV_INVALID_CLOSING_QUOTE':
    case 'CSV_NON_TRIMABLE_CHAR_AFTER_CLOSING_QUOTE':
      return 'a quote stands in the middle of a field; write fields with quotes as "a ""quoted"" word"';
    case 'CSV_MAX_RECORD_SIZE':
      return `the record has more than ${RECORD_CHARACTERS_MAX} characters; is a quote open, or are there no line ends?`;
    default:
      return `the line is not CSV: ${error.message}`;
  }
}

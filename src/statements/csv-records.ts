import { CsvError } from 'csv-parse';
import { type Options, parse } from 'csv-parse/sync';
import type { Limits } from './limits.ts';
import type { CsvMapping } from './mapping.ts';
import { tooLarge } from './output.ts';
import { StatementError } from './statement.ts';

/** A record of a file. Its fields are without spaces around them. */
export interface CsvRecord {
  readonly fields: readonly string[];
  /** Line of the file on which it begins, from 1. */
  readonly line: number;
}

type Format = Pick<CsvMapping, 'delimiter' | 'quote' | 'skipLines' | 'footer'>;

/**
 * Cuts text into records, wherever it is cut itself. Empty lines are left out.
 *
 * What csv-parse gets are blocks of whole records, all at once: as a stream it takes twice as long, most of it to say of
 * each record on which line it is.
 */
export class CsvRecords {
  /** Of the block, from 1; after `end`, the number of lines and one. */
  line = 1;
  #held = '';
  #isCarriageReturnHeld = false;
  #linesToSkip: number;
  #isFooterSeen = false;

  constructor(
    private readonly format: Format,
    private readonly limits: Pick<Limits, 'recordCharactersMax'>,
    private readonly take: (record: CsvRecord) => void,
  ) {
    this.#linesToSkip = format.skipLines;
  }

  write(chunk: string): void {
    if (this.#isFooterSeen || chunk === '') return;
    if (chunk.includes('\0')) {
      throw new StatementError('the file holds zero bytes; it is not a text file, or not in this encoding', this.line);
    }
    let text = this.#isCarriageReturnHeld ? `\r${chunk}` : chunk;
    // The LF that belongs to a CR at the end may be in the next chunk.
    this.#isCarriageReturnHeld = text.endsWith('\r');
    if (this.#isCarriageReturnHeld) text = text.slice(0, -1);
    text = this.#skipped(this.#held + text.replaceAll('\r\n', '\n'));
    const end = this.#linesToSkip > 0 ? 0 : this.#endOfRecords(text);
    this.#held = text.slice(end);
    if (end > 0) this.#block(text.slice(0, end));
    if (this.#held.length > this.limits.recordCharactersMax) throw this.#tooLong(this.line);
  }

  end(): void {
    if (this.#isCarriageReturnHeld) this.#held += '\r';
    if (this.#held !== '' && this.#linesToSkip === 0 && !this.#isFooterSeen) this.#block(this.#held);
    this.#held = '';
    const { footer } = this.format;
    if (footer === null || this.#isFooterSeen) return;
    throw new StatementError(
      `the file is cut off: it has no line that begins with ${JSON.stringify(footer)}`,
      this.line,
    );
  }

  #skipped(text: string): string {
    let from = 0;
    while (this.#linesToSkip > 0) {
      const end = text.indexOf('\n', from);
      if (end === -1) break;
      from = end + 1;
      this.#linesToSkip--;
      this.line++;
    }
    return text.slice(from);
  }

  /** Where the last record ends that is whole: after a line end before which every quote is closed. */
  #endOfRecords(text: string): number {
    const { quote } = this.format;
    if (quote === null || !text.includes(quote)) return text.lastIndexOf('\n') + 1;
    let end = 0;
    let open = text.indexOf(quote);
    for (let lineEnd = text.indexOf('\n'); lineEnd !== -1; lineEnd = text.indexOf('\n', lineEnd + 1)) {
      // Quotes in pairs; a doubled one within a field is a pair that closes and opens.
      while (open !== -1 && open < lineEnd) {
        const close = text.indexOf(quote, open + 1);
        if (close === -1) return end;
        open = text.indexOf(quote, close + 1);
        if (close > lineEnd) lineEnd = text.indexOf('\n', close);
        if (lineEnd === -1) return end;
      }
      end = lineEnd + 1;
    }
    return end;
  }

  #block(text: string): void {
    let block = text;
    if (this.format.footer !== null) {
      const end = this.#startOfFooter(text, this.format.footer);
      this.#isFooterSeen = end !== -1;
      if (end !== -1) block = text.slice(0, end);
    }
    try {
      this.#records(block);
    } catch (error) {
      if (!(error instanceof CsvError)) throw error;
      // What is wrong in the records before it comes first.
      const line = this.line + Math.max(1, typeof error.lines === 'number' ? error.lines : 1) - 1;
      if (typeof error.records === 'number' && error.records > 0) this.#records(block, error.records);
      throw error.code === 'CSV_MAX_RECORD_SIZE' ? this.#tooLong(line) : this.#csvError(error, line);
    }
  }

  /** At the beginning of a record that is at the beginning of a line; -1 when it is not there. */
  #startOfFooter(text: string, footer: string): number {
    if (text.startsWith(footer)) return 0;
    for (let at = text.indexOf(`\n${footer}`); at !== -1; at = text.indexOf(`\n${footer}`, at + 1)) {
      if (this.#endOfRecords(text.slice(0, at + 1)) === at + 1) return at + 1;
    }
    return -1;
  }

  /** @param max number of records to read, from the first */
  #records(block: string, max?: number): void {
    if (block === '') return;
    const records: string[][] = parse(block, max === undefined ? this.#options : { ...this.#options, to: max });
    const { quote } = this.format;
    const hasQuotes = quote !== null && block.includes(quote);
    for (const fields of records) {
      const line = this.line++;
      if (hasQuotes) for (const field of fields) this.line += lineEndsIn(field);
      if (fields.length > 1 || fields[0] !== '') this.take({ fields, line });
    }
  }

  get #options(): Options {
    return {
      delimiter: this.format.delimiter,
      quote: this.format.quote ?? false,
      escape: this.format.quote ?? false,
      max_record_size: this.limits.recordCharactersMax,
      record_delimiter: '\n',
      relax_column_count: true,
      trim: true,
    };
  }

  #tooLong(line: number): StatementError {
    const reason = `the record has more than ${this.limits.recordCharactersMax} characters`;
    return tooLarge(`${reason}; is a quote open, or are there no line ends?`, line);
  }

  #csvError(error: CsvError, line: number): StatementError {
    return new StatementError(csvReason(error), line, { cause: error });
  }
}

function lineEndsIn(field: string): number {
  let lines = 0;
  for (let at = field.indexOf('\n'); at !== -1; at = field.indexOf('\n', at + 1)) lines++;
  return lines;
}

function csvReason(error: CsvError): string {
  switch (error.code) {
    case 'CSV_QUOTE_NOT_CLOSED':
      return 'a quote is opened and never closed; is the file cut off?';
    case 'INVALID_OPENING_QUOTE':
    case 'CSV_INVALID_CLOSING_QUOTE':
    case 'CSV_NON_TRIMABLE_CHAR_AFTER_CLOSING_QUOTE':
      return 'a quote stands in the middle of a field; write fields with quotes as "a ""quoted"" word"';
    default:
      return `the line is not CSV: ${error.message}`;
  }
}

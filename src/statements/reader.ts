import { Camt053Parser } from './camt053-parser.ts';
import { CsvParser } from './csv-parser.ts';
import { pieces } from './decoder.ts';
import type { StatementFormat } from './detect.ts';
import { type Limits, limitsOf, type StatementLimits } from './limits.ts';
import { type CsvMapping, DEFAULT_CSV_MAPPING, DEFAULT_PSP_MAPPING } from './mapping.ts';
import { Mt940Parser } from './mt940-parser.ts';
import { type FormatParser, Output, tooLarge } from './output.ts';
import { StatementError } from './statement.ts';
import type { StatementLine, StatementReader } from './types.ts';

export { detectFormat, STATEMENT_FORMATS, type StatementFormat } from './detect.ts';
export type { StatementLimits } from './limits.ts';

/** A batch is taken as soon as so many lines wait: more of them would outlive young generations, and be copied in each. */
const BATCH_MIN = 100;
const BATCH_MAX = 1_000;

export interface StatementOptions {
  /** Of `csv` and `psp` only; the mapping of a settlement report is that with an amount of the kind `settlement`. */
  readonly mapping?: CsvMapping | undefined;
  readonly limits?: StatementLimits | undefined;
}

/**
 * A reader for one file of a format.
 *
 * @throws RangeError when the mapping is not for this format
 */
export function statementReader(format: StatementFormat, options: StatementOptions = {}): StatementReader {
  const limits = limitsOf(options.limits);
  const output = new Output(limits);
  return new FileReader(parserOf(format, options.mapping, limits, output), limits, output);
}

function parserOf(
  format: StatementFormat,
  mapping: CsvMapping | undefined,
  limits: Limits,
  output: Output,
): FormatParser {
  const isTable = format === 'csv' || format === 'psp';
  if (mapping !== undefined && (!isTable || (mapping.amount.kind === 'settlement') !== (format === 'psp'))) {
    throw new RangeError(`the mapping is not for the format ${format}`);
  }
  switch (format) {
    case 'camt053':
      return new Camt053Parser(limits, output);
    case 'mt940':
      return new Mt940Parser(limits, output);
    case 'csv':
      return new CsvParser(mapping ?? DEFAULT_CSV_MAPPING, limits, output);
    case 'psp':
      return new CsvParser(mapping ?? DEFAULT_PSP_MAPPING, limits, output);
  }
}

class FileReader implements StatementReader {
  #isRead = false;

  constructor(
    private readonly parser: FormatParser,
    private readonly limits: Limits,
    private readonly output: Output,
  ) {}

  get statements() {
    return this.output.statements;
  }

  async *read(input: AsyncIterable<Uint8Array>): AsyncGenerator<readonly StatementLine[]> {
    if (this.#isRead) throw new Error('a statement reader reads one file, once');
    this.#isRead = true;
    let bytes = 0;
    for await (const chunk of input) {
      bytes += chunk.length;
      if (bytes > this.limits.bytesMax) {
        throw tooLarge(`the file is larger than ${this.limits.bytesMax} bytes; split it by period`, null);
      }
      for (const piece of pieces(chunk)) {
        this.parser.write(piece);
        while (this.output.waiting >= BATCH_MIN) yield this.output.take(BATCH_MAX);
      }
    }
    if (bytes === 0) throw new StatementError('the file is empty');
    this.parser.end();
    while (this.output.waiting > 0) yield this.output.take(BATCH_MAX);
  }
}

import { amountReader } from './csv-amounts.ts';
import { CsvColumns, wholeText } from './csv-columns.ts';
import { CsvHeader } from './csv-header.ts';
import { type NumberReader, numberReader } from './csv-numbers.ts';
import { type CsvRecord, CsvRecords } from './csv-records.ts';
import { Decoder } from './decoder.ts';
import type { Limits } from './limits.ts';
import type { CsvMapping } from './mapping.ts';
import type { FormatParser, Output } from './output.ts';
import { Settlement } from './settlement.ts';
import { StatementError } from './statement.ts';
import { joinTexts } from './texts.ts';
import type { StatementLine } from './types.ts';

/** How the rows below a header become lines. */
interface Rows {
  row(record: CsvRecord): void;
  end(): void;
}

/** CSV by a mapping: the file is one statement. */
export class CsvParser implements FormatParser {
  readonly #decoder: Decoder;
  readonly #records: CsvRecords;
  #rows: Rows | null = null;
  /** Of its lines; null when they have several. */
  #currency: string | null | undefined;

  constructor(
    private readonly mapping: CsvMapping,
    private readonly limits: Limits,
    private readonly output: Output,
  ) {
    this.#records = new CsvRecords(mapping, limits, (record) => this.#record(record));
    this.#decoder = new Decoder(mapping.encoding, () => this.#records.line);
  }

  write(bytes: Uint8Array): void {
    this.#records.write(this.#decoder.write(bytes));
  }

  end(): void {
    this.#records.write(this.#decoder.end());
    this.#records.end();
    if (this.#rows === null) {
      throw new StatementError('the file is empty; its first line must name the columns', this.#records.line);
    }
    this.#rows.end();
    const { account, currency } = this.mapping;
    this.output.endStatement(
      {
        id: null,
        account,
        currency: 'code' in currency ? currency.code : (this.#currency ?? null),
        from: null,
        to: null,
        opening: null,
        closing: null,
      },
      null,
    );
  }

  #record(record: CsvRecord): void {
    if (this.#rows !== null) {
      this.#rows.row(record);
      return;
    }
    const header = new CsvHeader(record.fields, record.line, this.mapping.optionalColumns);
    const columns = new CsvColumns(this.mapping, header);
    this.#rows =
      this.mapping.amount.kind === 'settlement'
        ? this.#settlementRows(columns, new Settlement(this.mapping, this.mapping.amount, header, this.limits))
        : this.#plainRows(columns, header);
  }

  #plainRows(columns: CsvColumns, header: CsvHeader): Rows {
    const { batch, fee, referenceRequired } = this.mapping;
    const moved = amountReader(this.mapping, header);
    const number = numberReader(this.mapping);
    const batchIndex = batch === null ? null : header.find(batch);
    const feeIndex = fee === null ? null : header.find(fee);
    const row = (record: CsvRecord) => {
      columns.checkLength(record);
      if (columns.isIgnored(record)) return;
      const { fields, line } = record;
      const currency = this.#currencyOf(record, columns);
      const { amount, direction } = moved(record, currency);
      const { day, valueDay, references, text, id } = columns.describe(record, referenceRequired);
      this.output.add({
        line,
        statement: this.output.statement,
        day,
        valueDay,
        amount,
        currency,
        direction,
        fee: feeIndex === null ? 0n : feeOf(fields[feeIndex]!, currency, fee!, line, number),
        references,
        text,
        id,
        batch: batchIndex === null ? null : wholeText(fields[batchIndex]!, 'batch', line),
        count: null,
        isReversal: false,
      });
    };
    return { row, end() {} };
  }

  #settlementRows(columns: CsvColumns, settlement: Settlement): Rows {
    const row = (record: CsvRecord) => {
      columns.checkLength(record);
      if (columns.isIgnored(record)) return;
      const currency = this.#currencyOf(record, columns);
      const { kind, gross, fee, net, payout } = settlement.row(record, currency);
      if (kind === 'payout') return;
      // A row without a gross is a fee by itself, and what is moved is its net.
      const moved = gross === 0n ? net : gross;
      if (moved === 0n) throw new StatementError('the row moves nothing: gross, fee and net are zero', record.line);
      const isPayment = kind !== 'other' && gross !== 0n;
      const { day, valueDay, references, text, id } = columns.describe(
        record,
        this.mapping.referenceRequired && isPayment,
      );
      const line: StatementLine = {
        line: record.line,
        statement: this.output.statement,
        day,
        valueDay,
        amount: moved < 0n ? -moved : moved,
        currency,
        direction: moved < 0n ? 'out' : 'in',
        fee: gross === 0n || fee < 0n ? 0n : fee,
        references,
        text,
        id,
        batch: payout,
        count: null,
        isReversal: kind === 'refund',
      };
      this.output.add(line);
      if (gross === 0n || fee >= 0n) return;
      // A fee is never below zero: one that is given back is a movement by itself, and known by nothing.
      const returned = joinTexts(['fee given back', ...references, text]);
      this.output.add({ ...line, amount: -fee, direction: 'in', references: [], text: returned, id: null });
    };
    return { row, end: () => settlement.end() };
  }

  #currencyOf(record: CsvRecord, columns: CsvColumns): string {
    const currency = columns.currency(record);
    if (this.#currency === undefined) this.#currency = currency;
    else if (this.#currency !== currency) this.#currency = null;
    return currency;
  }
}

function feeOf(text: string, currency: string, column: string, line: number, number: NumberReader): bigint {
  if (text === '') return 0n;
  const fee = number(text, currency, column, line);
  if (fee < 0n) throw new StatementError(`${column} must be without a minus`, line);
  return fee;
}

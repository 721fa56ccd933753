import { isCurrency } from '../ledger/currencies.ts';
import type { CsvHeader } from './csv-header.ts';
import type { CsvRecord } from './csv-records.ts';
import { dayReader } from './days.ts';
import type { CsvMapping } from './mapping.ts';
import { quoted, StatementError } from './statement.ts';
import { hasControls, isTooLong, joinTexts } from './texts.ts';

/** What a row says besides amounts. */
export interface Described {
  readonly day: number;
  readonly valueDay: number | null;
  readonly references: readonly string[];
  readonly text: string;
  readonly id: string | null;
}

/** Where in a row is what, except for amounts. */
export class CsvColumns {
  readonly #date: number;
  readonly #valueDate: number | null;
  readonly #currency: number | string;
  readonly #references: readonly number[];
  readonly #text: readonly number[];
  readonly #id: number | null;
  readonly #ignored: ReadonlyArray<{ readonly index: number; readonly values: ReadonlySet<string> }>;
  readonly #day: (text: string) => number | null;
  readonly #valueDay: (text: string) => number | null;

  constructor(
    private readonly mapping: CsvMapping,
    private readonly header: CsvHeader,
  ) {
    this.#date = header.index(mapping.date);
    this.#valueDate = mapping.valueDate === null ? null : header.find(mapping.valueDate);
    this.#currency = 'code' in mapping.currency ? mapping.currency.code : header.index(mapping.currency.column);
    this.#references = header.findAll(mapping.references);
    this.#text = header.findAll(mapping.text);
    this.#id = mapping.id === null ? null : header.find(mapping.id);
    this.#ignored = mapping.ignore.flatMap(({ column, values }) => {
      const index = header.find(column);
      return index === null ? [] : [{ index, values: new Set(values.map((value) => value.toLowerCase())) }];
    });
    this.#day = dayReader(mapping.dateFormat);
    this.#valueDay = dayReader(mapping.dateFormat);
  }

  /** @throws StatementError when the row is none of this file */
  checkLength({ fields, line }: CsvRecord): void {
    if (fields.length === this.header.length) return;
    const reason = `the line has ${fields.length} fields, and the line that names the columns has ${this.header.length}`;
    throw new StatementError(reason, line);
  }

  isIgnored({ fields }: CsvRecord): boolean {
    for (const { index, values } of this.#ignored) if (values.has(fields[index]!.toLowerCase())) return true;
    return false;
  }

  currency({ fields, line }: CsvRecord): string {
    if (typeof this.#currency === 'string') return this.#currency;
    const currency = fields[this.#currency]!;
    if (isCurrency(currency)) return currency;
    throw new StatementError(`the currency must be an ISO 4217 code such as EUR, not ${quoted(currency)}`, line);
  }

  describe(record: CsvRecord, isReferenceRequired: boolean): Described {
    const { fields, line } = record;
    const day = this.#day(fields[this.#date]!);
    if (day === null) throw this.#noDay(this.mapping.date, fields[this.#date]!, line);
    const valueText = this.#valueDate === null ? '' : fields[this.#valueDate]!;
    const valueDay = valueText === '' ? null : this.#valueDay(valueText);
    if (valueText !== '' && valueDay === null) throw this.#noDay(this.mapping.valueDate!, valueText, line);
    const references: string[] = [];
    for (const index of this.#references) {
      const reference = wholeText(fields[index]!, 'reference', line);
      if (reference !== null && !references.includes(reference)) references.push(reference);
    }
    if (isReferenceRequired && references.length === 0) {
      throw new StatementError(`the line has no reference (${this.mapping.references.join(', ')})`, line);
    }
    return {
      day,
      valueDay,
      references,
      text: this.#text.length === 0 ? '' : joinTexts(this.#text.map((index) => fields[index]!)),
      id: this.#id === null ? null : wholeText(fields[this.#id]!, 'id', line),
    };
  }

  #noDay(column: string, text: string, line: number): StatementError {
    const format = this.mapping.dateFormat === 'iso' ? '2026-01-31' : this.mapping.dateFormat;
    return new StatementError(`${column} must be a day like ${format}, not ${quoted(text)}`, line);
  }
}

/** A reference or an id: whole or not at all, as a part of it is another one. null: empty. */
export function wholeText(text: string, what: string, line: number): string | null {
  if (text === '') return null;
  if (isTooLong(text)) throw new StatementError(`the ${what} must have at most 140 characters`, line);
  if (hasControls(text)) throw new StatementError(`the ${what} must have no control characters: ${quoted(text)}`, line);
  return text;
}

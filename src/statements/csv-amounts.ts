import type { CsvHeader } from './csv-header.ts';
import { type NumberReader, numberReader } from './csv-numbers.ts';
import type { CsvRecord } from './csv-records.ts';
import type { AmountMapping, CsvMapping, SettlementMapping } from './mapping.ts';
import { quoted, StatementError } from './statement.ts';
import type { Direction } from './types.ts';

export interface Moved {
  /** Minor units, greater than zero. */
  readonly amount: bigint;
  readonly direction: Direction;
}

type AmountReader = (record: CsvRecord, currency: string) => Moved;

/** How a row says what moved, and which way. */
export function amountReader(mapping: CsvMapping, header: CsvHeader): AmountReader {
  const number = numberReader(mapping);
  const amount = mapping.amount as Exclude<AmountMapping, SettlementMapping>;
  switch (amount.kind) {
    case 'unsigned': {
      const column = header.index(amount.column);
      return ({ fields, line }, currency) => ({
        amount: aboveZero(number(fields[column]!, currency, amount.column, line), amount.column, line),
        direction: null,
      });
    }
    case 'signed': {
      const column = header.index(amount.column);
      const [positive, negative] = amount.positive === 'in' ? (['in', 'out'] as const) : (['out', 'in'] as const);
      return ({ fields, line }, currency) => {
        const signed = number(fields[column]!, currency, amount.column, line);
        if (signed === 0n) throw zero(amount.column, line);
        return signed > 0n ? { amount: signed, direction: positive } : { amount: -signed, direction: negative };
      };
    }
    case 'indicator':
      return indicatorReader(amount, header, number);
    case 'split':
      return splitReader(amount, header, number);
  }
}

function indicatorReader(
  mapping: Extract<AmountMapping, { kind: 'indicator' }>,
  header: CsvHeader,
  number: NumberReader,
): AmountReader {
  const column = header.index(mapping.column);
  const indicator = header.index(mapping.indicator);
  const directions = new Map<string, 'in' | 'out'>([
    ...mapping.in.map((value) => [value.toLowerCase(), 'in'] as const),
    ...mapping.out.map((value) => [value.toLowerCase(), 'out'] as const),
  ]);
  return ({ fields, line }, currency) => {
    const value = fields[indicator]!;
    const direction = directions.get(value.toLowerCase());
    if (direction === undefined) {
      const known = [...mapping.in, ...mapping.out].join(', ');
      throw new StatementError(`${mapping.indicator} must be one of ${known}, not ${quoted(value)}`, line);
    }
    const amount = number(fields[column]!, currency, mapping.column, line);
    return { amount: aboveZero(amount, mapping.column, line), direction };
  };
}

function splitReader(
  mapping: Extract<AmountMapping, { kind: 'split' }>,
  header: CsvHeader,
  number: NumberReader,
): AmountReader {
  const credit = header.index(mapping.credit);
  const debit = header.index(mapping.debit);
  return ({ fields, line }, currency) => {
    const read = (text: string, column: string) => (text === '' ? 0n : number(text, currency, column, line));
    const incoming = read(fields[credit]!, mapping.credit);
    const written = read(fields[debit]!, mapping.debit);
    const outgoing = mapping.debitIsNegative ? -written : written;
    if (incoming < 0n) throw negative(mapping.credit, line);
    if (outgoing < 0n) {
      if (!mapping.debitIsNegative) throw negative(mapping.debit, line);
      throw new StatementError(`${mapping.debit} must be written with a minus`, line);
    }
    if (incoming > 0n === outgoing > 0n) {
      const which = incoming > 0n ? 'both have one' : 'both are empty';
      throw new StatementError(`one of ${mapping.credit} and ${mapping.debit} must have an amount; ${which}`, line);
    }
    return incoming > 0n ? { amount: incoming, direction: 'in' } : { amount: outgoing, direction: 'out' };
  };
}

function aboveZero(amount: bigint, column: string, line: number): bigint {
  if (amount > 0n) return amount;
  throw amount === 0n ? zero(column, line) : negative(column, line);
}

function zero(column: string, line: number): StatementError {
  return new StatementError(`${column} must be greater than zero`, line);
}

function negative(column: string, line: number): StatementError {
  return new StatementError(`${column} must be without a minus`, line);
}

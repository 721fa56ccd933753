import { amountText } from './amounts.ts';
import { wholeText } from './csv-columns.ts';
import type { CsvHeader } from './csv-header.ts';
import { type NumberReader, numberReader } from './csv-numbers.ts';
import type { CsvRecord } from './csv-records.ts';
import type { Limits } from './limits.ts';
import type { CsvMapping, SettlementMapping } from './mapping.ts';
import { tooLarge } from './output.ts';
import { quoted, StatementError } from './statement.ts';

type Kind = 'charge' | 'refund' | 'payout' | 'other';

/** A row of a settlement report whose sums are right. */
export interface SettlementRow {
  readonly kind: Kind | null;
  /** Signed minor units: what a payment came to. */
  readonly gross: bigint;
  /** Taken off the gross; below zero: given back. */
  readonly fee: bigint;
  readonly net: bigint;
  readonly payout: string | null;
}

interface Payout {
  /** Of the nets of its rows. */
  sum: bigint;
  /** What its own row says. */
  stated: { readonly amount: bigint; readonly line: number } | null;
}

/** Reads the amounts of a settlement report and checks that they add up: each row by itself, and each payout at the end. */
export class Settlement {
  readonly #number: NumberReader;
  readonly #gross: number;
  readonly #fee: number;
  readonly #net: number;
  readonly #payout: number;
  readonly #type: number | null;
  readonly #kinds = new Map<string, Kind>();
  /** By currency and id. */
  readonly #payouts = new Map<string, Payout>();

  constructor(
    mapping: CsvMapping,
    private readonly amount: SettlementMapping,
    header: CsvHeader,
    private readonly limits: Pick<Limits, 'payoutsMax'>,
  ) {
    this.#number = numberReader(mapping);
    this.#gross = header.index(amount.gross);
    this.#fee = header.index(amount.fee);
    this.#net = header.index(amount.net);
    this.#payout = header.index(amount.payout);
    this.#type = amount.type === null ? null : header.find(amount.type.column);
    for (const kind of ['charge', 'refund', 'payout', 'other'] as const) {
      for (const value of amount.type?.[kind] ?? []) this.#kinds.set(value.toLowerCase(), kind);
    }
  }

  row(record: CsvRecord, currency: string): SettlementRow {
    const { fields, line } = record;
    const kind = this.#kindOf(record);
    const gross = this.#number(fields[this.#gross]!, currency, this.amount.gross, line);
    const written = fields[this.#fee]! === '' ? 0n : this.#number(fields[this.#fee]!, currency, this.amount.fee, line);
    const fee = this.amount.feeTaken === 'positive' ? written : -written;
    const net = this.#number(fields[this.#net]!, currency, this.amount.net, line);
    if (gross - fee !== net) {
      const [from, taken, left, right] = [gross, fee, net, gross - fee].map((value) => amountText(value, currency));
      throw new StatementError(`${from} less the fee ${taken} is ${right}, but the net is ${left}`, line);
    }
    if ((kind === 'charge' && gross < 0n) || (kind === 'refund' && gross > 0n)) {
      const right = kind === 'charge' ? 'above zero' : 'below zero';
      throw new StatementError(
        `the ${this.amount.gross} of a ${kind} must be ${right}, not ${amountText(gross, currency)}`,
        line,
      );
    }
    const payout = wholeText(fields[this.#payout]!, 'payout', line);
    const row = { kind, gross, fee, net, payout };
    this.#count(row, currency, line);
    return row;
  }

  /** The file ended. @throws StatementError when a payout is not the sum of its rows */
  end(): void {
    for (const [key, { sum, stated }] of this.#payouts) {
      // Reports of balances write what left them with a minus.
      if (stated === null || stated.amount === sum || stated.amount === -sum) continue;
      const currency = key.slice(0, 3);
      throw new StatementError(
        `payout ${quoted(key.slice(4))} says ${amountText(stated.amount, currency)}, but the nets of its rows come to ` +
          `${amountText(sum, currency)}; get the report again`,
        stated.line,
      );
    }
  }

  #kindOf({ fields, line }: CsvRecord): Kind | null {
    if (this.#type === null) return null;
    const value = fields[this.#type]!;
    const kind = this.#kinds.get(value.toLowerCase());
    if (kind !== undefined) return kind;
    const known = [...this.#kinds.keys()].join(', ');
    throw new StatementError(`${this.amount.type!.column} must be one of ${known}, not ${quoted(value)}`, line);
  }

  #count({ kind, fee, net, payout }: SettlementRow, currency: string, line: number): void {
    if (kind === 'payout' && fee !== 0n) {
      throw new StatementError('the fee of a payout must be in a row of its own, of a type of its own', line);
    }
    if (payout === null) {
      if (kind === 'payout') throw new StatementError(`a payout must have its id in ${this.amount.payout}`, line);
      return;
    }
    const key = `${currency} ${payout}`;
    let known = this.#payouts.get(key);
    if (known === undefined) {
      if (this.#payouts.size >= this.limits.payoutsMax) {
        throw tooLarge(`the report has more than ${this.limits.payoutsMax} payouts; split it by period`, line);
      }
      known = { sum: 0n, stated: null };
      this.#payouts.set(key, known);
    }
    if (kind !== 'payout') known.sum += net;
    else if (known.stated === null) known.stated = { amount: net, line };
    else
      throw new StatementError(`the payout ${quoted(payout)} is there twice, first in line ${known.stated.line}`, line);
  }
}

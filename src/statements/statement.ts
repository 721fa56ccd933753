/** What every format of bank statement is read into, and how its fields are read. */
import { minorUnitDigits } from '../ledger/currencies.ts';
import { AMOUNT_MAX } from '../ledger/types.ts';

/** One movement that somebody else's statement reports. */
export interface StatementRecord {
  /** Line of the file on which it ends, from 1. */
  readonly line: number;
  /** What both sides know the payment by. */
  readonly reference: string;
  /** Minor units, greater than zero. */
  readonly amount: bigint;
  readonly currency: string;
  /** UTC day of booking, in days since 1970-01-01. */
  readonly day: number;
  /** The other side's own id for it. */
  readonly id: string | null;
  readonly description: string | null;
}

export type StatementErrorCode = 'statement_invalid' | 'statement_too_large';

/** The statement cannot be used. Nothing was compared and nothing was kept. */
export class StatementError extends Error {
  override readonly name = 'StatementError';
  readonly code: StatementErrorCode;
  constructor(
    /** What is wrong and what would be right, for people; without the line. */
    readonly reason: string,
    /** Line of the file, from 1; null when it is no single line's fault. */
    readonly line: number | null = null,
    options?: ErrorOptions & { readonly code?: StatementErrorCode },
  ) {
    super(line === null ? reason : `line ${line}: ${reason}`, options);
    this.code = options?.code ?? 'statement_invalid';
  }
}

const DAY_MS = 86_400_000;
const DATE = /^(\d{4})-(\d{2})-(\d{2})$/;
const DATE_TIME =
  /^(\d{4}-\d{2}-\d{2})[Tt ]([01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/;
const MAJOR_UNITS = /^(\d{1,15})(?:\.(\d{1,6}))?$/;

/**
 * An amount in major units (`12.34`) as minor units of its currency (`1234n`). Exact: a digit more than the currency
 * has is an error, never rounded, and so are signs, exponents, spaces and thousands separators. The currency must exist.
 *
 * @returns the amount, or in words what is wrong with it
 */
export function parseMajorUnits(text: string, currency: string): bigint | string {
  const digits = minorUnitDigits(currency);
  const example = digits === 0 ? '1234' : `1234.${'50'.padEnd(digits, '0').slice(0, digits)}`;
  const parts = MAJOR_UNITS.exec(text);
  if (parts === null) return `the amount must be digits with a decimal point, such as ${example}, not ${quoted(text)}`;
  const [, whole, fraction = ''] = parts;
  if (fraction.length > digits) {
    return `${currency} has ${digits === 0 ? 'no' : digits} decimals, so the amount cannot be ${quoted(text)}`;
  }
  const amount = BigInt(whole + fraction.padEnd(digits, '0'));
  if (amount === 0n) return 'the amount must be greater than zero';
  if (amount > AMOUNT_MAX) return `the amount must be at most ${AMOUNT_MAX} minor units, and ${quoted(text)} is more`;
  return amount;
}

/** `2026-02-28`, or an RFC 3339 time, as its UTC day since 1970-01-01; null for anything else, such as February 30. */
export function parseDay(text: string): number | null {
  const time = DATE_TIME.exec(text);
  const date = DATE.exec(time === null ? text : time[1]!);
  if (date === null) return null;
  const [year, month, day] = [Number(date[1]), Number(date[2]), Number(date[3])];
  const midnight = new Date(Date.UTC(year, month - 1, day));
  if (year < 1970 || midnight.getUTCMonth() !== month - 1 || midnight.getUTCDate() !== day) return null;
  return dayOf(time === null ? midnight : new Date(text.replace(' ', 'T')));
}

/** The UTC day of a time, in days since 1970-01-01. */
export function dayOf(time: Date): number {
  return Math.floor(time.getTime() / DAY_MS);
}

/** Midnight (UTC) at which a day begins. */
export function startOfDay(day: number): Date {
  return new Date(day * DAY_MS);
}

/** `YYYY-MM-DD` */
export function dayText(day: number): string {
  return startOfDay(day).toISOString().slice(0, 10);
}

/** Text of a file as part of a message: short, and without characters that a terminal would obey. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
}

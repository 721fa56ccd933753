import { isCurrency } from '../ledger/currencies.ts';
import { decimalsOf, minorUnits } from './amounts.ts';
import { dayFrom, fullYear } from './days.ts';
import { quoted, StatementError } from './statement.ts';

/** How the fields of MT940 are read; each throws a StatementError that says the line and what is wrong. */

export interface Balance {
  /** Signed minor units. */
  readonly amount: bigint;
  readonly currency: string;
  readonly day: number;
  /** Has the amount all decimals of its currency? One without may have been cut off. */
  readonly isFull: boolean;
}

/** Field `:61:`, a statement line. */
export interface Booking {
  readonly valueDay: number;
  readonly day: number;
  readonly direction: 'in' | 'out';
  readonly isReversal: boolean;
  /** Zero or more. */
  readonly amount: bigint;
  readonly customerReference: string;
  readonly bankReference: string;
}

const BALANCE = /^([CD])(\d{6})([A-Z]{3})(\d{1,15}),(\d{0,14})$/;
/** Value date, entry date, mark, funds code, amount, type of transaction, references. */
const BOOKING = /^(\d{6})(\d{4})?(RC|RD|C|D)([A-Z])?(\d{1,15}),(\d{0,14})[NFS][A-Z0-9]{3}(.*)$/;

/** `C260131EUR1234,56` */
export function balanceOf(text: string, line: number): Balance {
  const parts = BALANCE.exec(text);
  if (parts === null) {
    throw new StatementError(`a balance must be like C260131EUR1234,56, not ${quoted(text)}`, line);
  }
  const [, mark, date, currency, whole, fraction] = parts as unknown as [
    string,
    string,
    string,
    string,
    string,
    string,
  ];
  if (!isCurrency(currency)) {
    throw new StatementError(`the currency must be an ISO 4217 code such as EUR, not ${quoted(currency)}`, line);
  }
  const amount = exact(whole, fraction, currency, line);
  const isFull = minorUnits('0', `${fraction}0`, currency) === null;
  return { amount: mark === 'C' ? amount : -amount, currency, day: dayOf(date, line), isFull };
}

/** `2601310131C12,34NTRFINV-1//B-1` */
export function bookingOf(text: string, currency: string, line: number): Booking {
  const parts = BOOKING.exec(text);
  if (parts === null) {
    throw new StatementError(`:61: must be like 2601310131C12,34NTRFINV-1//B-1, not ${quoted(text)}`, line);
  }
  const [, date, entryDate, mark, , whole, fraction, references] = parts;
  const valueDay = dayOf(date!, line);
  const end = references!.indexOf('//');
  return {
    valueDay,
    day: entryDate === undefined ? valueDay : entryDayOf(entryDate, Number(date!.slice(0, 2)), valueDay, line),
    // To take back a credit is a debit.
    direction: mark === 'C' || mark === 'RD' ? 'in' : 'out',
    isReversal: mark!.length === 2,
    amount: exact(whole!, fraction!, currency, line),
    customerReference: end === -1 ? references! : references!.slice(0, end),
    bankReference: end === -1 ? '' : references!.slice(end + 2),
  };
}

function exact(whole: string, fraction: string, currency: string, line: number): bigint {
  const amount = minorUnits(whole, fraction.replace(/0+$/, ''), currency);
  if (amount === null) {
    throw new StatementError(`${decimalsOf(currency)}, so an amount cannot be ${quoted(`${whole},${fraction}`)}`, line);
  }
  return amount;
}

/** `YYMMDD` */
function dayOf(text: string, line: number): number {
  const day = dayFrom(fullYear(Number(text.slice(0, 2))), Number(text.slice(2, 4)), Number(text.slice(4)));
  if (day === null) throw new StatementError(`${quoted(text)} is no day; it must be like 260131 (YYMMDD)`, line);
  return day;
}

/** `MMDD`, of the year in which it is nearest to the day of value: January 2 is after December 30. */
function entryDayOf(text: string, valueYear: number, valueDay: number, line: number): number {
  const year = fullYear(valueYear);
  let nearest: number | null = null;
  for (const candidate of [year - 1, year, year + 1]) {
    const day = dayFrom(candidate, Number(text.slice(0, 2)), Number(text.slice(2)));
    if (day !== null && (nearest === null || Math.abs(day - valueDay) < Math.abs(nearest - valueDay))) nearest = day;
  }
  if (nearest === null) throw new StatementError(`${quoted(text)} is no day; it must be like 0131 (MMDD)`, line);
  return nearest;
}

import { DAY_MS } from './statement.ts';

/** A calendar day as days since 1970-01-01; null for one that is none (February 30) or is before 1970. */
export function dayFrom(year: number, month: number, date: number): number | null {
  const time = new Date(Date.UTC(year, month - 1, date));
  if (year < 1970 || time.getUTCMonth() !== month - 1 || time.getUTCDate() !== date) return null;
  return time.getTime() / DAY_MS;
}

const ZONE = '(?:[Zz]|[+-]\\d{2}:?\\d{2})?';
const TIME = '(?:[01]\\d|2[0-4]):[0-5]\\d(?::[0-5]\\d(?:[.,]\\d{1,9})?)?';
const ISO = new RegExp(`^(\\d{4})-(\\d{2})-(\\d{2})(?:[Tt ]${TIME})?${ZONE}$`);

/**
 * `2026-01-31`, or an ISO 8601 time, as the day that it says, without a look at its zone; null for anything else.
 *
 * Not the UTC day: a bank that writes `2026-01-31T23:30:00-05:00` books on January 31.
 */
function isoDay(text: string): number | null {
  const parts = ISO.exec(text);
  return parts && dayFrom(Number(parts[1]), Number(parts[2]), Number(parts[3]));
}

const TOKEN = /YYYY|MM|DD|YY|D|M/g;
const TOKEN_PATTERNS: Readonly<Record<string, string>> = {
  YYYY: '(?<year>\\d{4})',
  YY: '(?<shortYear>\\d{2})',
  MM: '(?<month>\\d{2})',
  M: '(?<month>\\d{1,2})',
  DD: '(?<date>\\d{2})',
  D: '(?<date>\\d{1,2})',
};

/** Does the format say each of year, month and day once? `DD.MM.YYYY`, `D/M/YY`, `YYYYMMDD`. */
export function isDateFormat(format: string): boolean {
  const tokens = format.match(TOKEN) ?? [];
  const kinds = tokens.map((token) => token[0]).sort();
  // A letter left over is a token that is none.
  return kinds.join('') === 'DMY' && !/[A-Za-z0-9]/.test(format.replace(TOKEN, ''));
}

/**
 * Reads days of a format of {@link isDateFormat}, or `iso`. A time after the day is allowed and not looked at. Years of
 * two digits are from 1980 to 2079, as SWIFT has it.
 */
export function dayReader(format: string): (text: string) => number | null {
  const read = format === 'iso' ? isoDay : formatReader(format);
  let lastText: string | null = null;
  let lastDay: number | null = null;
  // Most lines of a statement are of the same day as the line before.
  return (text) => {
    if (text !== lastText) {
      lastDay = read(text);
      lastText = text;
    }
    return lastDay;
  };
}

function formatReader(format: string): (text: string) => number | null {
  const literal = (text: string) => text.replace(/[.*+?^${}()|[\]\\/-]/g, '\\$&');
  let pattern = '';
  let from = 0;
  for (const { 0: token, index } of format.matchAll(TOKEN)) {
    pattern += literal(format.slice(from, index)) + TOKEN_PATTERNS[token]!;
    from = index + token.length;
  }
  const date = new RegExp(`^${pattern}${literal(format.slice(from))}(?:[ T]${TIME})?$`);
  return (text) => {
    const groups = date.exec(text)?.groups;
    if (groups === undefined) return null;
    const year = groups.year === undefined ? fullYear(Number(groups.shortYear)) : Number(groups.year);
    return dayFrom(year, Number(groups.month), Number(groups.date));
  };
}

/** Of two digits: 80 to 99 are of the 20th century, as SWIFT has it. */
export function fullYear(digits: number): number {
  return digits < 80 ? 2000 + digits : 1900 + digits;
}

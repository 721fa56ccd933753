import { decimalsOf, minorUnits } from './amounts.ts';
import type { CsvMapping } from './mapping.ts';
import { quoted, StatementError } from './statement.ts';

export type NumberStyle = Pick<
  CsvMapping,
  'decimalMark' | 'thousandsSeparator' | 'plusSign' | 'trailingMinus' | 'parentheses'
>;

/** Signed minor units of a currency from a field, exactly. @throws StatementError that shows what would be right */
export type NumberReader = (text: string, currency: string, column: string, line: number) => bigint;

/** Reads numbers as they are written in one file, and no others. */
export function numberReader(style: NumberStyle): NumberReader {
  const pattern = numberPattern(style);
  const hasSeparator = style.thousandsSeparator !== null;
  const example = `1${style.thousandsSeparator ?? ''}234${style.decimalMark}50`;
  return (text, currency, column, line) => {
    const parts = pattern.exec(text);
    if (parts === null) {
      throw new StatementError(`${column} must be a number such as ${example}, not ${quoted(text)}`, line);
    }
    const [, open, sign, whole, fraction = '', trailing, close] = parts;
    const signs = (open === undefined ? 0 : 1) + (sign ? 1 : 0) + (trailing === undefined ? 0 : 1);
    if (signs > 1 || (open === undefined) !== (close === undefined)) {
      throw new StatementError(`${column} must have one sign at most, not ${quoted(text)}`, line);
    }
    const amount = minorUnits(hasSeparator ? whole!.replace(SEPARATORS, '') : whole!, fraction, currency);
    if (amount === null) {
      throw new StatementError(`${decimalsOf(currency)}, so ${column} cannot be ${quoted(text)}`, line);
    }
    return signs === 1 && sign !== '+' ? -amount : amount;
  };
}

const SEPARATORS = /\D/g;
const DIGITS_MAX = 15;

function numberPattern(style: NumberStyle): RegExp {
  const separator = style.thousandsSeparator;
  // Three spaces that look alike: the plain one, and those that do not break.
  const group = separator === ' ' ? '[ \\u00a0\\u202f]' : separator === null ? null : `\\${separator}`;
  const whole = group === null ? `\\d{1,${DIGITS_MAX}}` : `\\d{1,3}(?:${group}\\d{3}){1,5}|\\d{1,${DIGITS_MAX}}`;
  return new RegExp(
    `^(\\()${style.parentheses ? '?' : '{0}'}([-${style.plusSign ? '+' : ''}]?)(${whole})` +
      `(?:\\${style.decimalMark}(\\d{1,6}))?(-)${style.trailingMinus ? '?' : '{0}'}(\\))${style.parentheses ? '?' : '{0}'}$`,
  );
}

/** Reading and writing of amounts. An amount is a `bigint` in minor units of its currency; nothing here is a float. */
import { minorUnitDigits } from './currencies.ts';
import { AMOUNT_MAX } from './types.ts';

/** Largest limit of a balance, either way: 10^18 - 1, so that it and any balance fit 64 bits. */
export const BALANCE_LIMIT_MAX = 999_999_999_999_999_999n;

/** Text of a whole number: no plus sign, no leading zeros, no white space, no `-0`; never longer than 64 bits need. */
const WHOLE_NUMBER = /^(?:0|-?[1-9][0-9]{0,18})$/;

/**
 * A whole number as it came in JSON: a number that is a safe integer (a larger one may have been rounded by the JSON
 * parser), or its digits as text. `null` for anything else: nothing is ever coerced.
 */
function parseWhole(value: unknown): bigint | null {
  if (typeof value === 'number') return Number.isSafeInteger(value) && !Object.is(value, -0) ? BigInt(value) : null;
  if (typeof value === 'string') return WHOLE_NUMBER.test(value) ? BigInt(value) : null;
  return null;
}

/** The amount of a payment, 1 to {@link AMOUNT_MAX} minor units, from JSON; `null` when it is not one. */
export function parseAmount(value: unknown): bigint | null {
  const amount = parseWhole(value);
  return amount !== null && amount > 0n && amount <= AMOUNT_MAX ? amount : null;
}

/** The amount of a leg from JSON: as {@link parseAmount}, of either sign; `null` when it is not one. */
export function parseLegAmount(value: unknown): bigint | null {
  const amount = parseWhole(value);
  return amount !== null && amount !== 0n && amount >= -AMOUNT_MAX && amount <= AMOUNT_MAX ? amount : null;
}

/** A limit of a balance from JSON: any sign, zero too, up to {@link BALANCE_LIMIT_MAX}; `null` when it is not one. */
export function parseBalanceLimit(value: unknown): bigint | null {
  const limit = parseWhole(value);
  return limit !== null && limit >= -BALANCE_LIMIT_MAX && limit <= BALANCE_LIMIT_MAX ? limit : null;
}

/**
 * For people to read: `formatMoney(-123456n, 'EUR')` is `-1234.56 EUR`. Machines get minor units (`String(amount)`).
 * Throws a RangeError on an unknown currency.
 */
export function formatMoney(amount: bigint, currency: string): string {
  const digits = minorUnitDigits(currency);
  const sign = amount < 0n ? '-' : '';
  const text = (amount < 0n ? -amount : amount).toString().padStart(digits + 1, '0');
  const whole = text.slice(0, text.length - digits);
  const fraction = digits === 0 ? '' : `.${text.slice(-digits)}`;
  return `${sign}${whole}${fraction} ${currency}`;
}

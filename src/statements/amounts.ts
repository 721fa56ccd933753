import { minorUnitDigits } from '../ledger/currencies.ts';

/**
 * Digits before and after the decimal mark as minor units of a currency that exists: exact, never rounded.
 *
 * @returns null when there are more decimals than the currency has. Zeros beyond them count as well: who writes `1.000`
 * in a currency of two decimals may mean a thousand.
 */
export function minorUnits(whole: string, fraction: string, currency: string): bigint | null {
  const digits = minorUnitDigits(currency);
  if (fraction.length > digits) return null;
  return BigInt(whole + fraction.padEnd(digits, '0'));
}

/** `12.34`, `-0.50`: signed minor units of a currency in major units, for messages. */
export function amountText(amount: bigint, currency: string): string {
  const digits = minorUnitDigits(currency);
  const text = (amount < 0n ? -amount : amount).toString().padStart(digits + 1, '0');
  const sign = amount < 0n ? '-' : '';
  if (digits === 0) return `${sign}${text} ${currency}`;
  return `${sign}${text.slice(0, -digits)}.${text.slice(-digits)} ${currency}`;
}

/** Words for a currency's decimals that were exceeded. */
export function decimalsOf(currency: string): string {
  const digits = minorUnitDigits(currency);
  return `${currency} has ${digits === 0 ? 'no' : digits} decimals`;
}

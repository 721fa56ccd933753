import { describe, expect, test } from 'vitest';
import { CURRENCIES, isCurrency, minorUnitDigits } from '../../src/ledger/currencies.ts';

describe('minor unit digits are those of ISO 4217', () => {
  test.each([
    ['EUR', 2],
    ['USD', 2],
    ['DKK', 2],
    // `Intl` says 0 for these: the standard says 2.
    ['HUF', 2],
    ['IDR', 2],
    ['COP', 2],
    ['IQD', 3],
    ['JPY', 0],
    ['KRW', 0],
    ['ISK', 0],
    ['UGX', 0],
    ['VND', 0],
    ['XOF', 0],
    ['UYI', 0],
    ['KWD', 3],
    ['BHD', 3],
    ['TND', 3],
    ['CLF', 4],
    ['UYW', 4],
    ['MGA', 2],
    ['MRU', 2],
  ])('%s has %d', (code, digits) => {
    expect(minorUnitDigits(code)).toBe(digits);
  });
});

test('the table holds each of the 165 active codes with a minor unit once, in order', () => {
  expect(CURRENCIES).toHaveLength(165);
  expect(new Set(CURRENCIES).size).toBe(165);
  expect([...CURRENCIES].sort()).toEqual(CURRENCIES);
  for (const code of CURRENCIES) expect(code).toMatch(/^[A-Z]{3}$/);
});

test.each(['XAU', 'XAG', 'XDR', 'XXX', 'XTS', 'XUA', 'XSU'])('%s has no minor unit and is no currency here', (code) => {
  expect(isCurrency(code)).toBe(false);
});

test.each(['BGN', 'HRK', 'ANG', 'CUC', 'SLL', 'ZWL', 'DEM'])('%s is withdrawn', (code) => {
  expect(isCurrency(code)).toBe(false);
});

test.each(['', 'eur', 'EURO', ' EUR', 'EUR ', '978', 'constructor', '__proto__'])('%j is no code', (code) => {
  expect(isCurrency(code)).toBe(false);
  expect(() => minorUnitDigits(code)).toThrow(RangeError);
});

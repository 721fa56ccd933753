import { describe, expect, test } from 'vitest';
import { formatMoney, parseAmount, parseBalanceLimit, parseLegAmount } from '../../src/ledger/money.ts';

describe('an amount is a safe integer or its digits', () => {
  test.each<[unknown, bigint]>([
    [1, 1n],
    [100, 100n],
    ['1', 1n],
    ['100', 100n],
    [999_999_999_999_999, 999_999_999_999_999n],
    ['999999999999999', 999_999_999_999_999n],
  ])('%j is %s', (value, amount) => {
    expect(parseAmount(value)).toBe(amount);
  });
});

/** What no amount of any kind may look like. */
const MALFORMED: unknown[] = [
  1.5,
  1e21,
  2 ** 53,
  2 ** 53 + 2,
  -(2 ** 53),
  Number.NaN,
  Number.POSITIVE_INFINITY,
  -0,
  '',
  ' ',
  ' 1',
  '1 ',
  '1\n',
  '01',
  '+1',
  '-0',
  '--1',
  '1.0',
  '1e2',
  '0x10',
  '1_000',
  '1,000',
  '١',
  'NaN',
  'Infinity',
  'null',
  '99999999999999999999',
  true,
  false,
  null,
  undefined,
  ['1'],
  [1],
  {},
  { $gt: 0 },
];

test.each(MALFORMED)('%j is no amount, no leg and no limit', (value) => {
  expect(parseAmount(value)).toBeNull();
  expect(parseLegAmount(value)).toBeNull();
  expect(parseBalanceLimit(value)).toBeNull();
});

test.each([0, '0', -1, '-1', 1_000_000_000_000_000, '1000000000000000'])(
  '%j is out of range for an amount',
  (value) => {
    expect(parseAmount(value)).toBeNull();
  },
);

test('a leg may be negative, never zero, and is as limited as an amount', () => {
  expect(parseLegAmount(-5)).toBe(-5n);
  expect(parseLegAmount('-999999999999999')).toBe(-999_999_999_999_999n);
  expect(parseLegAmount(0)).toBeNull();
  expect(parseLegAmount('-1000000000000000')).toBeNull();
  expect(parseLegAmount('1000000000000000')).toBeNull();
});

test('a balance limit may be zero, and fits 64 bits', () => {
  expect(parseBalanceLimit(0)).toBe(0n);
  expect(parseBalanceLimit('-999999999999999999')).toBe(-999_999_999_999_999_999n);
  expect(parseBalanceLimit('999999999999999999')).toBe(999_999_999_999_999_999n);
  expect(parseBalanceLimit('1000000000000000000')).toBeNull();
  expect(parseBalanceLimit('-1000000000000000000')).toBeNull();
});

describe('money for people has the digits of its currency', () => {
  test.each<[bigint, string, string]>([
    [0n, 'EUR', '0.00 EUR'],
    [5n, 'EUR', '0.05 EUR'],
    [-5n, 'EUR', '-0.05 EUR'],
    [123_456n, 'EUR', '1234.56 EUR'],
    [-100n, 'USD', '-1.00 USD'],
    [1234n, 'JPY', '1234 JPY'],
    [1234n, 'KWD', '1.234 KWD'],
    [1n, 'CLF', '0.0001 CLF'],
    [9_007_199_254_740_993n, 'EUR', '90071992547409.93 EUR'],
  ])('%s of %s is %s', (amount, currency, text) => {
    expect(formatMoney(amount, currency)).toBe(text);
  });

  test('and no text for an unknown currency', () => {
    expect(() => formatMoney(1n, 'XXX')).toThrow(RangeError);
  });
});

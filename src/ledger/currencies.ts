/**
 * The currencies that an account may hold, and how many decimal digits the minor unit of each has.
 *
 * Source: ISO 4217 list one ("current currency and funds code list"), SIX Financial Information AG as maintenance
 * agency, published 2026-01-01. Codes whose minor unit is "N.A." there (metals, bond units, SDR, test codes) are left
 * out: an amount in minor units has no meaning for them. Not taken from `Intl`, whose digits follow usage, not the
 * standard (HUF 0, IDR 0).
 */
const CODES_BY_MINOR_UNIT_DIGITS: ReadonlyArray<readonly [digits: number, codes: string]> = [
  [0, 'BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF'],
  [
    2,
    `AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW CNY
     COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS
     INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR
     MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP
     STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG`,
  ],
  [3, 'BHD IQD JOD KWD LYD OMR TND'],
  [4, 'CLF UYW'],
];

const DIGITS: ReadonlyMap<string, number> = new Map(
  CODES_BY_MINOR_UNIT_DIGITS.flatMap(([digits, codes]) => codes.split(/\s+/).map((code) => [code, digits] as const)),
);

/** All codes, in alphabetical order. */
export const CURRENCIES: readonly string[] = [...DIGITS.keys()].sort();

/** Is this an active ISO 4217 code, in upper case? */
export function isCurrency(code: string): boolean {
  return DIGITS.has(code);
}

/** Decimal digits of the minor unit: 2 for EUR, 0 for JPY, 3 for KWD. Throws a RangeError on an unknown code. */
export function minorUnitDigits(code: string): number {
  const digits = DIGITS.get(code);
  if (digits === undefined) throw new RangeError(`${code} is not an active ISO 4217 currency code`);
  return digits;
}

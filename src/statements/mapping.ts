import { z } from 'zod';
import { isCurrency } from '../ledger/currencies.ts';
import { isDateFormat } from './days.ts';
import { ENCODINGS } from './decoder.ts';

const columnName = z.string().trim().min(1).max(100);
const optionalColumn = columnName.nullable().default(null);
const columns = z.array(columnName).max(20);
const values = z.array(z.string().trim().max(100)).min(1).max(100);

/** A number without a sign; the format does not say who paid whom. */
const unsigned = z.strictObject({ kind: z.literal('unsigned'), column: columnName });

/** One column with a sign. */
const signed = z.strictObject({
  kind: z.literal('signed'),
  column: columnName,
  /** What a number above zero is. */
  positive: z.enum(['in', 'out']).default('in'),
});

/** A number without a sign, and a column that says which way it went, by one of the listed values (any case). */
const indicator = z.strictObject({
  kind: z.literal('indicator'),
  column: columnName,
  indicator: columnName,
  in: values,
  out: values,
});

/** A column for what came in and one for what went out; in each line one of them is empty or zero. */
const split = z.strictObject({
  kind: z.literal('split'),
  credit: columnName,
  debit: columnName,
  /** Are numbers in the debit column written with a minus? */
  debitIsNegative: z.boolean().default(false),
});

const settlementType = z.strictObject({
  column: columnName,
  /** Values (any case) of payments to us: the gross is above zero. */
  charge: values.default(['charge', 'payment', 'capture', 'sale']),
  /** Of what takes a payment back: the gross is below zero. */
  refund: values.default(['refund', 'chargeback', 'dispute']),
  /** Of rows that say what was paid out. They have no line; what they say is checked. */
  payout: values.default(['payout']),
  /** Of all else that moved, such as fees by themselves: the sign says which way. */
  other: values.default(['fee', 'adjustment', 'correction', 'reserve']),
});

/** A settlement report: signed gross, fee and net, of which `gross - fee = net` in every row. */
const settlement = z.strictObject({
  kind: z.literal('settlement'),
  gross: columnName,
  fee: columnName,
  net: columnName,
  /** Id of the payout that the row is part of; empty: not paid out yet. It becomes the batch. */
  payout: columnName,
  /** null: the sign of the gross says all there is to say. */
  type: settlementType.nullable().default(null),
  /** How a fee that was taken off is written: 0.35, or -0.35 (then `gross + fee = net`). */
  feeTaken: z.enum(['positive', 'negative']).default('positive'),
});

const amount = z.discriminatedUnion('kind', [unsigned, signed, indicator, split, settlement]);

/** How a CSV statement or a settlement report is to be read. Names of columns are the same in any case. */
export const csvMapping = z
  .strictObject({
    delimiter: z.enum([',', ';', '\t', '|']).default(','),
    /** null: a quote is a character like any other. */
    quote: z.enum(['"', "'"]).nullable().default('"'),
    encoding: z.enum(ENCODINGS).default('utf-8'),
    /** Lines before the one that names the columns. */
    skipLines: z.number().int().min(0).max(1_000).default(0),
    /** The line that begins with this, and what follows, is not read. It must be there: without it the file is cut off. */
    footer: z.string().min(1).max(100).nullable().default(null),
    /** `iso`, or a format such as `DD.MM.YYYY` of YYYY, YY, MM, M, DD and D with anything but letters and digits between. */
    dateFormat: z
      .string()
      .max(40)
      .refine((format) => format === 'iso' || isDateFormat(format), {
        error: 'must be iso, or name year, month and day once each, such as DD.MM.YYYY or M/D/YY',
      })
      .default('iso'),
    decimalMark: z.enum(['.', ',']).default('.'),
    /** Between groups of three digits; a space is also one that does not break. null: there is none. */
    thousandsSeparator: z.enum([',', '.', ' ', "'"]).nullable().default(null),
    /** May amounts be written `+1.00`? */
    plusSign: z.boolean().default(false),
    /** May amounts below zero be written `1.00-`? */
    trailingMinus: z.boolean().default(false),
    /** May amounts below zero be written `(1.00)`? */
    parentheses: z.boolean().default(false),
    amount,
    currency: z.union([
      z.strictObject({ column: columnName }),
      z.strictObject({
        code: z.string().refine(isCurrency, { error: 'must be an ISO 4217 code such as EUR' }),
      }),
    ]),
    date: columnName,
    valueDate: optionalColumn,
    /** The most telling first. */
    references: columns.default([]),
    /** Is a line without any reference an error? Rows of a settlement report that are no payment or refund may have none. */
    referenceRequired: z.boolean().default(false),
    text: columns.default([]),
    id: optionalColumn,
    batch: optionalColumn,
    /** What was taken off the amount, zero or more; an empty one is zero. */
    fee: optionalColumn,
    account: z.string().trim().min(1).max(140).nullable().default(null),
    /** Rows in which a column has one of the values (any case) are not read. */
    ignore: z
      .array(z.strictObject({ column: columnName, values }))
      .max(20)
      .default([]),
    /** Columns that are read when they are there, and may be missing. */
    optionalColumns: columns.default([]),
  })
  .superRefine((mapping, { addIssue }) => {
    const issue = (path: string[], message: string) => addIssue({ code: 'custom', path, message });
    if (mapping.thousandsSeparator === mapping.decimalMark) {
      issue(['thousandsSeparator'], 'must be another character than decimalMark');
    }
    if (mapping.amount.kind === 'settlement') {
      if (mapping.fee !== null) issue(['fee'], 'must be null: the fee of a settlement report is in amount.fee');
      if (mapping.batch !== null) issue(['batch'], 'must be null: the batch of a settlement report is amount.payout');
      const twice = mapping.amount.type && shared(typeValues(mapping.amount.type));
      if (twice) issue(['amount', 'type'], `${JSON.stringify(twice)} has two meanings`);
    }
    if (mapping.amount.kind === 'indicator') {
      const twice = shared([mapping.amount.in, mapping.amount.out]);
      if (twice !== null) issue(['amount', 'out'], `${JSON.stringify(twice)} is in the list of in as well`);
    }
  });

export type CsvMapping = z.output<typeof csvMapping>;
export type AmountMapping = CsvMapping['amount'];
export type SettlementMapping = Extract<AmountMapping, { kind: 'settlement' }>;

function typeValues(type: NonNullable<SettlementMapping['type']>): string[][] {
  return [type.charge, type.refund, type.payout, type.other];
}

/** The first value that is in two of the lists. */
function shared(lists: readonly (readonly string[])[]): string | null {
  const seen = new Set<string>();
  for (const list of lists) {
    const own = new Set(list.map((value) => value.toLowerCase()));
    for (const value of own) {
      if (seen.has(value)) return value;
      seen.add(value);
    }
  }
  return null;
}

/** Columns reference, amount (unsigned), currency, date, and perhaps id and description. */
export const DEFAULT_CSV_MAPPING: CsvMapping = csvMapping.parse({
  amount: { kind: 'unsigned', column: 'amount' },
  currency: { column: 'currency' },
  date: 'date',
  references: ['reference'],
  referenceRequired: true,
  id: 'id',
  text: ['description'],
  optionalColumns: ['id', 'description'],
});

/** Columns reference, gross, fee, net, currency, date, payout, and perhaps type, id and description. */
export const DEFAULT_PSP_MAPPING: CsvMapping = csvMapping.parse({
  amount: {
    kind: 'settlement',
    gross: 'gross',
    fee: 'fee',
    net: 'net',
    payout: 'payout',
    type: { column: 'type' },
  },
  currency: { column: 'currency' },
  date: 'date',
  references: ['reference'],
  referenceRequired: true,
  id: 'id',
  text: ['description'],
  optionalColumns: ['type', 'id', 'description'],
});

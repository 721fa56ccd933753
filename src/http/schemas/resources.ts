/** What is answered. Amounts are strings of minor units, times RFC 3339 in UTC. */
import { z } from 'zod';
import { REJECTION_REASONS } from '../../ledger/types.ts';

const amount = z
  .string()
  .regex(/^(0|-?[1-9][0-9]*)$/)
  .meta({ description: 'Minor units.', examples: ['1250'] });
const time = z.iso.datetime().meta({ examples: ['2026-01-31T12:00:00.000Z'] });
const metadata = z.record(z.string(), z.string());
const place = {
  book: z.int().meta({ description: 'The journal that it stands in.' }),
  height: z.int().meta({ description: 'Height of its block in the book.' }),
};
const rejection_reason = z.enum(REJECTION_REASONS).nullable();
const details = {
  reference: z.string().nullable(),
  description: z.string().nullable(),
  metadata,
  created_at: time,
};

export const accountResource = z
  .strictObject({
    object: z.literal('account'),
    id: z.string(),
    currency: z.string(),
    book: z.int(),
    min_balance: amount.nullable().meta({ description: 'null: no limit.' }),
    max_balance: amount.nullable().meta({ description: 'null: no limit.' }),
    metadata,
    created_at: time,
  })
  .meta({ id: 'Account' });

export const balanceResource = z
  .strictObject({
    object: z.literal('balance'),
    account: z.string(),
    currency: z.string(),
    posted: amount,
    held: amount,
    available: amount.meta({ description: 'posted less held.' }),
    height: z.int().meta({
      description: 'Height of the latest posting; 0: never posted to.',
    }),
    as_of: time,
  })
  .meta({ id: 'Balance' });

export const entryResource = z
  .strictObject({
    object: z.literal('entry'),
    id: z.string().meta({ description: 'Cursor of this line.', examples: ['17.0'] }),
    transaction_id: z.string(),
    kind: z.enum(['payment', 'transaction']),
    amount,
    currency: z.string(),
    posted: amount.meta({ description: 'Running balance after this line.' }),
    held: amount,
    reference: z.string().nullable(),
    created_at: time,
    ...place,
  })
  .meta({ id: 'Entry' });

export const paymentResource = z
  .strictObject({
    object: z.literal('payment'),
    id: z.string(),
    transaction_id: z.string(),
    status: z.enum(['posted', 'rejected']),
    rejection_reason,
    source: z.string(),
    destination: z.string(),
    amount,
    currency: z.string(),
    ...details,
    ...place,
  })
  .meta({ id: 'Payment' });

export const transactionResource = z
  .strictObject({
    object: z.literal('transaction'),
    id: z.string(),
    kind: z.enum(['payment', 'transaction']),
    status: z.enum(['posted', 'rejected', 'pending']).meta({
      description: 'pending: over several books, and not yet at its end in all of them.',
    }),
    rejection_reason,
    postings: z.array(
      z.strictObject({
        account: z.string(),
        amount,
        currency: z.string(),
        posted: amount.nullable().meta({ description: 'Balance after it; null when rejected.' }),
        held: amount.nullable(),
      }),
    ),
    ...details,
    ...place,
  })
  .meta({ id: 'Transaction' });

export const trialBalanceRow = z
  .strictObject({
    object: z.literal('trial_balance_row'),
    currency: z.string(),
    debit: amount,
    credit: amount,
    sum: amount.meta({ description: 'Always 0.' }),
    accounts: z.int(),
  })
  .meta({ id: 'TrialBalanceRow' });

export function listOf<T extends z.ZodType>(item: T) {
  return z.strictObject({
    object: z.literal('list'),
    data: z.array(item),
    has_more: z.boolean(),
    url: z.string(),
  });
}

export const problemResource = z
  .looseObject({
    type: z.string().meta({ examples: ['urn:kvitt:problem:insufficient_funds'] }),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    instance: z.string(),
    code: z.string().meta({ description: 'One of a closed list.' }),
    request_id: z.string(),
    retryable: z.boolean().meta({
      description: 'May the same request be sent again and end differently?',
    }),
    errors: z
      .array(
        z.strictObject({
          detail: z.string(),
          pointer: z.string().optional().meta({ description: 'JSON pointer into the body.' }),
          parameter: z.string().optional().meta({ description: 'Name of a path or query parameter.' }),
          header: z.string().optional().meta({ description: 'Name of a header.' }),
        }),
      )
      .optional(),
  })
  .meta({ id: 'Problem', description: 'RFC 9457 problem.' });

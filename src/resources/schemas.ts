/** What is answered. Amounts are strings of minor units, times RFC 3339 in UTC. */
import { z } from 'zod';
import { ACCOUNT_STATUSES, COMMAND_KINDS, REJECTION_REASONS } from '../ledger/types.ts';
import { PAYMENT_STATUSES } from '../payments/types.ts';

export const amount = z
  .string()
  .regex(/^(0|-?[1-9][0-9]*)$/)
  .meta({ description: 'Minor units.', examples: ['1250'] });
export const time = z.iso.datetime().meta({ examples: ['2026-01-31T12:00:00.000Z'] });
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
    status: z.enum(ACCOUNT_STATUSES).meta({
      description: 'frozen: gives nothing and holds nothing more, still receives. closed: empty, and for ever so.',
    }),
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

export const balancesResource = z
  .strictObject({
    object: z.literal('balances'),
    data: z.array(balanceResource).meta({ description: 'In the order asked for, without those of unknown accounts.' }),
    unknown: z.array(z.string()).meta({ description: 'The ids of which there is no account.' }),
  })
  .meta({ id: 'Balances' });

export const balanceSumsResource = z
  .strictObject({
    object: z.literal('balance_sums'),
    prefix: z.string(),
    data: z.array(
      z.strictObject({
        prefix: z.string().meta({ description: 'How the ids of these accounts begin.', examples: ['user:42:'] }),
        currency: z.string(),
        accounts: z.int().meta({ description: 'How many they are.' }),
        posted: amount,
        held: amount,
        available: amount,
      }),
    ),
    as_of: time,
  })
  .meta({ id: 'BalanceSums' });

export const entryResource = z
  .strictObject({
    object: z.literal('entry'),
    id: z.string().meta({ description: 'Cursor of this line.', examples: ['17.0'] }),
    transaction_id: z.string(),
    kind: z.enum(COMMAND_KINDS),
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
    status: z.enum(PAYMENT_STATUSES).meta({
      description:
        'authorized: something is held that can still be captured. captured: that is over, and something was. posted: paid at once. canceled, expired: released, and nothing captured. refunded: all of it was paid back.',
    }),
    rejection_reason,
    capture: z.enum(['automatic', 'manual']),
    source: z.string(),
    destination: z.string().nullable().meta({ description: 'null: several, see splits.' }),
    splits: z.array(z.strictObject({ destination: z.string(), amount })),
    amount,
    amount_held: amount.meta({ description: 'Still held, and not captured.' }),
    amount_captured: amount,
    amount_refunded: amount,
    currency: z.string(),
    expires_at: time.nullable().meta({ description: 'From then on nothing can be captured.' }),
    ...details,
    updated_at: time.meta({ description: 'When the ledger last decided something about it.' }),
    last_transaction_id: z.string().meta({ description: 'The transaction that says so.' }),
    ...place,
  })
  .meta({ id: 'Payment' });

export const bulkResult = z
  .strictObject({
    object: z.literal('bulk_result'),
    index: z.int().meta({ description: 'Place of the payment in the request, from 0.' }),
    idempotency_key: z.string().nullable().meta({ description: 'null: it has none that could be used.' }),
    status: z.int().meta({ description: 'What the payment alone would have been answered with.' }),
    replayed: z.boolean(),
    payment: paymentResource.nullable(),
    error: z.lazy(() => problemResource).nullable(),
  })
  .meta({ id: 'BulkResult' });

export const bulkResults = z.strictObject({ object: z.literal('list'), data: z.array(bulkResult) });

export const transactionResource = z
  .strictObject({
    object: z.literal('transaction'),
    id: z.string(),
    kind: z.enum(COMMAND_KINDS),
    status: z.enum(['posted', 'rejected', 'pending']).meta({
      description:
        'pending: over several books, and not yet at its end in all of them; its postings may be those of one book.',
    }),
    rejection_reason,
    about: z.string().nullable().meta({
      description: 'The payment or transaction that it captures, releases, refunds or reverses.',
    }),
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

export const bookResource = z
  .strictObject({
    object: z.literal('book'),
    book: z.int(),
    height: z.int(),
    hash: z.string().meta({ description: 'Of the block at that height, in hex: it stands for all below.' }),
    term: z.int(),
    at: time.meta({ description: 'When that block was written.' }),
    leader: z.string().nullable().meta({
      description:
        'Where the instance is reached by others that leads it; null: books are not shared, or nobody is known.',
    }),
  })
  .meta({ id: 'Book' });

/** Why something is in only one of the ledger and the statement, or differs between them. */
export const BREAK_CAUSES = [
  'missing_here',
  'missing_there',
  'amount_differs',
  'currency_differs',
  'date_differs',
  'duplicate_here',
  'duplicate_there',
  'timing',
] as const;
const date = z.iso.date().meta({ examples: ['2026-01-31'] });

/** More fields may come. */
export const reconciliationResource = z
  .looseObject({
    object: z.literal('reconciliation'),
    id: z.string().meta({ examples: ['rec_01a212cb-925d-7a96-b27e-b8921a71afd1'] }),
    source: z.string().nullable().meta({ description: 'Whose statements are compared; null: none that has a name.' }),
    kind: z.enum(['statement', 'internal']).meta({
      description: 'statement: a statement against the ledger. internal: the ledger against itself.',
    }),
    status: z.enum(['running', 'succeeded', 'failed']),
    started_at: time,
    finished_at: time.nullable(),
    ok: z.boolean().nullable().meta({ description: 'Nothing differs; null until it has succeeded.' }),
    failure: z.string().nullable().meta({ description: 'Why it failed, for a person; null unless it did.' }),
    file: z
      .looseObject({
        name: z.string().nullable(),
        sha256: z.string().meta({ description: 'Of its bytes, in hex.' }),
        format: z.string(),
        lines: z.int(),
      })
      .nullable()
      .meta({ description: 'The statement as it came; null: there was none.' }),
    counts: z
      .looseObject({
        matched_lines: z.int().meta({ description: 'Lines of the statement that fit the ledger.' }),
        matched_items: z.int().meta({ description: 'What these are in the ledger.' }),
        breaks_opened: z.int(),
        breaks_resolved: z.int(),
        by_cause: z.record(z.string(), z.int()).meta({ description: 'How many breaks were opened, by their causes.' }),
      })
      .nullable()
      .meta({ description: 'null until it has succeeded.' }),
  })
  .meta({ id: 'Reconciliation', description: 'A run that compares a statement with the ledger.' });

/** More fields may come. */
export const breakResource = z
  .looseObject({
    object: z.literal('break'),
    id: z.string().meta({ examples: ['brk_01a212cb-925d-7a96-b27e-b8921a71afd1'] }),
    source: z.string().meta({ description: 'Whose statement it was found in, or is missing from.' }),
    cause: z.enum(BREAK_CAUSES).meta({ description: 'here: the ledger. there: the statement.' }),
    status: z.enum(['open', 'resolved']),
    currency: z.string(),
    amount,
    date,
    expected_by: date
      .nullable()
      .meta({ description: 'By then it should settle by itself; null: it is not expected to.' }),
    opened_at: time,
    updated_at: time,
    assignee: z.string().nullable().meta({ description: 'Who looks into it; null: nobody does.' }),
    reference: z.string().nullable(),
    message: z.string().meta({ description: 'What is wrong, for a person.' }),
    statement_line: z.looseObject({}).nullable().meta({ description: 'null: there is none.' }),
    ledger_item: z.looseObject({}).nullable().meta({ description: 'null: there is none.' }),
    reconciliation: z.string().meta({ description: 'The reconciliation that opened it.' }),
    resolution: z
      .looseObject({
        by: z.string().meta({ description: 'Who resolved it.' }),
        at: time,
        how: z.enum(['settled', 'reason', 'adjusted']).meta({
          description:
            'settled: what was missing came, and fits. reason: somebody said why it may stay. adjusted: by a transaction.',
        }),
        reason: z.string().nullable(),
        transaction_id: z.string().nullable().meta({ description: 'The transaction that adjusts it.' }),
        reconciliation: z.string().nullable().meta({ description: 'The reconciliation that settled it.' }),
      })
      .nullable()
      .meta({ description: 'null while it is open.' }),
  })
  .meta({ id: 'Break', description: 'A difference between a statement and the ledger.' });

export type ReconciliationResource = z.output<typeof reconciliationResource>;
export type BreakResource = z.output<typeof breakResource>;

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

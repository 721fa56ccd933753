/** Path and query parameters. They are text on the wire; the only ones turned into something else are written here. */
import { z } from 'zod';
import { EVENT_TYPES, type EventType } from '../../events/types.ts';
import { isSystemAccount } from '../../ledger/crossing.ts';
import { COMMAND_KINDS } from '../../ledger/types.ts';
import { accountId, currency, paymentId, reference, time } from '../../payments/schema.ts';
import {
  PAYMENT_STATUSES,
  type PageQuery,
  type PaymentFilter,
  type StatementFilter,
  type TransactionFilter,
} from '../../payments/types.ts';
import { DELIVERY_STATUSES } from '../../webhooks/types.ts';
import {
  amountFields,
  checkAmount,
  checkMetadata,
  createdFields,
  metadataFields,
  toAmountRange,
  toMetadata,
  toTimeRange,
} from './filters.ts';

const LIMIT_DEFAULT = 10;
const LIMIT_MAX = 100;

export const accountParams = z.strictObject({ id: accountId });
export const paymentParams = z.strictObject({ id: paymentId });
export const transactionParams = z.strictObject({
  id: z.string().regex(/^txn_[0-9A-Za-z-]{1,64}$/),
});

const cursor = z
  .string()
  .regex(/^[A-Za-z0-9:_.-]{1,128}$/, 'must be the id of an item of this list')
  .optional();

const limit = z
  .string()
  .regex(/^(?:[1-9][0-9]?|100)$/, `must be 1 to ${LIMIT_MAX}`)
  .transform(Number)
  .default(LIMIT_DEFAULT)
  .meta({
    description: `Items on a page, 1 to ${LIMIT_MAX}.`,
    default: String(LIMIT_DEFAULT),
  });

export const pageFields = {
  limit,
  starting_after: cursor.meta({
    description: 'Id of the item before the page: the page continues after it.',
  }),
  ending_before: cursor.meta({
    description: 'Id of the item after the page: the page ends before it.',
  }),
};

interface PageParameters {
  limit: number;
  starting_after?: string | undefined;
  ending_before?: string | undefined;
}

function checkPage(page: PageParameters, ctx: z.RefinementCtx): void {
  if (page.starting_after === undefined || page.ending_before === undefined) return;
  ctx.addIssue({
    code: 'custom',
    path: ['ending_before'],
    message: 'must not be given together with starting_after',
  });
}

/** A query of a list with these fields, those of a page among them. */
export function toPageChecked<T extends z.ZodRawShape & typeof pageFields>(fields: T) {
  return z.strictObject(fields).superRefine((page, ctx) => checkPage(page as PageParameters, ctx));
}

export const pageQuery = z.strictObject(pageFields).superRefine(checkPage);

const paymentsFields = {
  ...pageFields,
  status: z.enum(PAYMENT_STATUSES, `must be one of ${PAYMENT_STATUSES.join(', ')}`).optional(),
  account: accountId.optional().meta({ description: 'Payments from or to this account.' }),
  reference: reference.optional(),
  currency: currency.optional(),
  ...amountFields,
  ...metadataFields,
  ...createdFields,
};

const prefix = accountId.meta({
  description: 'How the ids of the accounts begin, as `user:42:`. Nothing in it is a pattern.',
});

export const accountsQuery = z.strictObject({ ...pageFields, prefix: prefix.optional() }).superRefine(checkPage);

export const sumsQuery = z.strictObject({
  prefix,
  group_by_level: z
    .string()
    .regex(/^[1-8]$/, 'must be 1 to 8')
    .transform(Number)
    .optional()
    .meta({ description: 'Apart by the first so many parts of the ids, which are separated by `:`.' }),
});

export const paymentsQuery = z
  .looseObject(paymentsFields)
  .superRefine(checkPage)
  .superRefine(checkAmount)
  .superRefine(checkMetadata(Object.keys(paymentsFields)));

const kind = z.enum(COMMAND_KINDS, `must be one of ${COMMAND_KINDS.join(', ')}`).optional();

export const transactionsQuery = z
  .strictObject({
    ...pageFields,
    account: accountId
      .refine((id) => !isSystemAccount(id), 'must not be an account of the ledger itself: its entries can be listed')
      .optional()
      .meta({
        description:
          'Transactions that were posted to this account, in the order of its postings; `created` is then the time of the posting.',
      }),
    kind: kind.meta({ description: 'Posted or rejected, of this kind.' }),
    ...createdFields,
  })
  .superRefine(checkPage);

export const entriesQuery = z
  .strictObject({
    ...pageFields,
    kind,
    direction: z
      .enum(['debit', 'credit'], 'must be debit or credit')
      .optional()
      .meta({ description: 'debit: what takes from the account; credit: what gives to it.' }),
    ...createdFields,
  })
  .superRefine(checkPage);

export const balanceQuery = z.strictObject({
  at: time.optional().meta({
    description: 'The balance as it was at this time; now unless given.',
  }),
});

const EVENTS_DEFAULT = 100;
const EVENTS_MAX = 1000;

const TYPES_RULE = `must be event types, separated by commas: ${EVENT_TYPES.join(', ')}`;

export const eventParams = z.strictObject({ id: z.string().regex(/^evt_[0-9A-Za-z-]{1,64}$/) });

export const eventsQuery = z
  .strictObject({
    limit: z
      .string()
      .regex(/^(?:[1-9][0-9]{0,2}|1000)$/, `must be 1 to ${EVENTS_MAX}`)
      .transform(Number)
      .default(EVENTS_DEFAULT)
      .meta({ description: `Events on a page, 1 to ${EVENTS_MAX}, at most.`, default: String(EVENTS_DEFAULT) }),
    cursor: z
      .string()
      .regex(/^[A-Za-z0-9_-]{1,8000}$/, 'must be the next_cursor of a page of events')
      .optional()
      .meta({ description: 'The `next_cursor` of the page before: goes on from there.' }),
    types: z
      .string()
      .transform((text, context): EventType[] => {
        const types = text.split(',');
        if (types.every(isEventType)) return types;
        context.addIssue({ code: 'custom', message: TYPES_RULE });
        return z.NEVER;
      })
      .optional()
      .meta({ description: 'Only events of these types, separated by commas.', examples: ['payment.posted'] }),
    account: accountId.optional().meta({ description: 'Only events about money of this account.' }),
    'created[gte]': createdFields['created[gte]'].meta({
      description: 'Without a cursor: begins with what was created at this time or later.',
    }),
  })
  .superRefine((query, context) => {
    if (query.cursor === undefined || query['created[gte]'] === undefined) return;
    const message = 'must not be given together with cursor';
    context.addIssue({ code: 'custom', path: ['created[gte]'], message });
  });

function isEventType(text: string): text is EventType {
  return (EVENT_TYPES as readonly string[]).includes(text);
}

export const endpointParams = z.strictObject({ id: z.string().regex(/^we_[0-9A-Za-z-]{1,64}$/) });

export const deliveryParams = z.strictObject({ ...endpointParams.shape, event: eventParams.shape.id });

export const deliveriesQuery = z.strictObject({
  limit,
  starting_after: cursor.meta({ description: 'Id of the delivery before the page, which is that of its event.' }),
  status: z.enum(DELIVERY_STATUSES, `must be one of ${DELIVERY_STATUSES.join(', ')}`).optional(),
});

export const noQuery = z.strictObject({});

/** Of what moves money or changes an account. */
export const decidedQuery = z.strictObject({
  dry_run: z.enum(['true', 'false'], 'must be true or false').optional().meta({
    description:
      'true: answers what would become of it now, with 200 and Dry-Run: true, and writes nothing; the key stays unused.',
  }),
});

export function toPage(query: PageParameters): PageQuery {
  return {
    limit: query.limit,
    startingAfter: query.starting_after,
    endingBefore: query.ending_before,
  };
}

export function toPaymentFilter(query: z.output<typeof paymentsQuery>): PaymentFilter {
  return {
    status: query.status,
    account: query.account,
    reference: query.reference,
    currency: query.currency,
    ...toAmountRange(query),
    metadata: toMetadata(query),
    ...toTimeRange(query),
  };
}

export function toTransactionFilter(query: z.output<typeof transactionsQuery>): TransactionFilter {
  return { account: query.account, kind: query.kind, ...toTimeRange(query) };
}

export function toStatementFilter(query: z.output<typeof entriesQuery>): StatementFilter {
  return { kind: query.kind, direction: query.direction, ...toTimeRange(query) };
}

/** Path and query parameters. They are text on the wire; the only ones turned into something else are written here. */
import { z } from 'zod';
import { accountId, reference } from '../../payments/schema.ts';
import type { PageQuery, PaymentFilter } from '../../payments/types.ts';

const LIMIT_DEFAULT = 10;
const LIMIT_MAX = 100;

export const accountParams = z.strictObject({ id: accountId });
export const paymentParams = z.strictObject({
  id: z.string().regex(/^pay_[0-9A-Za-z-]{1,64}$/),
});
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

const time = z.iso
  .datetime({
    offset: true,
    message: 'must be an RFC 3339 time, such as 2026-01-31T12:00:00Z',
  })
  .transform((value) => new Date(value));

const pageFields = {
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

export const pageQuery = z.strictObject(pageFields).superRefine(checkPage);

export const paymentsQuery = z
  .strictObject({
    ...pageFields,
    status: z.enum(['posted', 'rejected'], 'must be posted or rejected').optional(),
    account: accountId.optional().meta({ description: 'Payments from or to this account.' }),
    reference: reference.optional(),
    'created[gte]': time.optional().meta({ description: 'Created at this time or later.' }),
    'created[lte]': time.optional().meta({ description: 'Created at this time or earlier.' }),
  })
  .superRefine(checkPage);

export const balanceQuery = z.strictObject({
  at: time.optional().meta({
    description: 'The balance as it was at this time; now unless given.',
  }),
});

export const noQuery = z.strictObject({});

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
    createdFrom: query['created[gte]'],
    createdTo: query['created[lte]'],
  };
}

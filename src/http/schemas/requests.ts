/** Bodies of requests. Strict: an unknown field is refused. The fields of a payment are those of `src/payments`. */
import { z } from 'zod';
import { EVENT_TYPES } from '../../events/types.ts';
import { isSystemAccount, SYSTEM_PREFIXES } from '../../ledger/crossing.ts';
import { BALANCE_LIMIT_MAX, parseBalanceLimit, parseLegAmount } from '../../ledger/money.ts';
import { AMOUNT_MAX, LEGS_MAX } from '../../ledger/types.ts';
import { OUTSIDE } from '../../payments/outside.ts';
import {
  accountId,
  captureBody,
  createPayment,
  currency,
  description,
  followBody,
  idempotencyKey,
  metadata,
  metadataKey,
  metadataValue,
  paymentOfMany,
  reference,
  refundBody,
  time,
} from '../../payments/schema.ts';
import type { ChangeAccount, CreateAccount, CreateTransaction } from '../../payments/types.ts';

export const createPaymentBody = createPayment;
export { captureBody, followBody, refundBody };

const ITEMS_MAX = 1_000;

/** A payment of many; what else it holds is looked at when its turn comes, so that one that is wrong fails alone. */
export const bulkItem = z
  .looseObject({ idempotency_key: idempotencyKey })
  .meta({ description: 'The fields of a payment, and a key of its own.' });

/** As the document has it, which is stricter than what is looked at first. */
const { $schema: _, ...documentedItem } = z.toJSONSchema(paymentOfMany, { io: 'input' });

export const bulkBody = z.strictObject({
  payments: z
    .array(
      z
        .looseObject({})
        .meta({ ...documentedItem, description: 'The fields of a payment, and its own idempotency_key.' }),
    )
    .min(1, 'must have at least 1 payment')
    .max(ITEMS_MAX, `must have at most ${ITEMS_MAX} payments`),
});

export const NDJSON = 'application/x-ndjson';

/** For the OpenAPI document only: lines are read and written one by one. */
export const bulkLines = z.unknown().meta({
  type: 'string',
  contentMediaType: NDJSON,
  contentSchema: documentedItem,
  description: 'A payment a line, each with the fields of one in a JSON body. Empty lines are passed over.',
});
export const bulkResultLines = z.unknown().meta({
  type: 'string',
  contentMediaType: NDJSON,
  contentSchema: { $ref: '#/components/schemas/BulkResult' },
  description: 'A BulkResult a line.',
});

/** A whole number as an integer or as digits, up to `max` either way; {@link parsedBy} has to look at it as well. */
function wholeNumber(max: bigint, rule: string) {
  const intMax = Math.min(Number(max), Number.MAX_SAFE_INTEGER);
  const digits = new RegExp(`^(?:0|-?[1-9][0-9]{0,${String(max).length - 1}})$`);
  return z.union([z.int(rule).meta({ minimum: -intMax, maximum: intMax }), z.string().regex(digits, rule)], {
    error: rule,
  });
}

/** What `parse` makes of a value; null: it is refused. */
function parsedBy(parse: (value: unknown) => bigint | null, rule: string) {
  return (value: unknown, ctx: z.RefinementCtx): bigint => {
    const parsed = parse(value);
    if (parsed !== null) return parsed;
    ctx.addIssue({ code: 'custom', message: rule, input: value });
    return z.NEVER;
  };
}

/**
 * Checks fields against each other, once each of them is right: a plain refinement also runs, on values that were never
 * transformed, when a field is merely out of range.
 */
function checked<T extends z.ZodType>(schema: T, check: (value: z.output<T>, ctx: z.RefinementCtx) => void) {
  return schema.transform((value, ctx) => {
    check(value, ctx);
    return value;
  });
}

const LEG_RULE = `must be a whole number of minor units from -${AMOUNT_MAX} to ${AMOUNT_MAX} other than 0, as an integer or a string of digits`;
const LIMIT_RULE = `must be null or a whole number of minor units from -${BALANCE_LIMIT_MAX} to ${BALANCE_LIMIT_MAX}, as an integer or a string of digits`;

/** `null`: no limit. */
const balanceLimit = z
  .union([z.null(), wholeNumber(BALANCE_LIMIT_MAX, LIMIT_RULE)], { error: LIMIT_RULE })
  .transform((value, ctx) => (value === null ? null : parsedBy(parseBalanceLimit, LIMIT_RULE)(value, ctx)));

const newAccountId = accountId.refine(
  (id) => !isSystemAccount(id),
  `must not begin with ${SYSTEM_PREFIXES.join(' or ')}: the ledger keeps those accounts itself`,
);

const accountFields = z.strictObject({
  id: newAccountId.meta({ examples: ['user:42:wallet', 'world:EUR'] }),
  currency,
  min_balance: balanceLimit.optional().meta({
    description:
      'Lowest available balance that a debit may leave, in minor units; 0 unless given. null: no limit, as world:<currency> has.',
  }),
  max_balance: balanceLimit.optional().meta({
    description: 'Highest balance that a credit may leave, in minor units. null or not given: no limit.',
  }),
  metadata: metadata.optional(),
});

/** `world:<currency>` stands for the outside: of that currency, and without a lower limit. */
function checkAccount(account: z.output<typeof accountFields>, ctx: z.RefinementCtx): void {
  const refuse = (field: string, message: string) => ctx.addIssue({ code: 'custom', path: [field], message });
  const { id, min_balance: min, max_balance: max } = account;
  if (id.startsWith(OUTSIDE)) {
    if (id !== OUTSIDE + account.currency) {
      refuse('currency', 'must be the one that the id names, as world:EUR holds EUR');
    }
    if (min != null) refuse('min_balance', 'must be left out: a world account stands for the outside and has no limit');
  }
  if (min != null && max != null && min > max) refuse('max_balance', 'must not be below min_balance');
}

export const createAccountBody = checked(accountFields, checkAccount);

export function toCreateAccount(body: z.output<typeof createAccountBody>): CreateAccount {
  return {
    id: body.id,
    currency: body.currency,
    minBalance: body.min_balance,
    maxBalance: body.max_balance,
    metadata: body.metadata,
  };
}

/** The limits of an account, anew: one that is not given stays as it is. */
export const changeLimitsBody = z
  .strictObject({ min_balance: balanceLimit.optional(), max_balance: balanceLimit.optional() })
  .transform((body): ChangeAccount => {
    const { min_balance: minBalance, max_balance: maxBalance } = body;
    return {
      ...(minBalance === undefined ? {} : { minBalance }),
      ...(maxBalance === undefined ? {} : { maxBalance }),
    };
  });
/** A merge patch (RFC 7396): what is not named stays, what is null goes. */
export const patchAccountBody = z.strictObject({
  metadata: z.record(metadataKey, z.union([z.null(), metadataValue])).meta({
    description: 'These keys get these values; those that are null are removed; others stay as they are.',
  }),
});

const ACCOUNTS_ASKED_MAX = 1_000;

export const balancesBody = z.strictObject({
  accounts: z
    .array(accountId)
    .min(1, 'must have at least 1 account')
    .max(ACCOUNTS_ASKED_MAX, `must have at most ${ACCOUNTS_ASKED_MAX} accounts`),
  at: time.optional().meta({ description: 'The balances as they were at this time; now unless given.' }),
});

const posting = z.strictObject({
  account: accountId,
  amount: wholeNumber(AMOUNT_MAX, LEG_RULE).transform(parsedBy(parseLegAmount, LEG_RULE)).meta({
    description: 'Minor units: negative takes from the account, positive gives to it.',
  }),
  currency,
});

const transactionFields = z.strictObject({
  postings: z
    .array(posting)
    .min(2, 'must have at least 2 postings')
    .max(LEGS_MAX, `must have at most ${LEGS_MAX} postings`)
    .meta({ description: 'They sum to zero in each currency, and name each account at most once.' }),
  reference: reference.optional(),
  description: description.optional(),
  metadata: metadata.optional(),
});

/** The engine would refuse these as well; here the field to blame is known. */
function checkPostings(postings: readonly z.output<typeof posting>[], ctx: z.RefinementCtx): void {
  const accounts = new Set<string>();
  const sums = new Map<string, bigint>();
  postings.forEach((leg, index) => {
    if (accounts.has(leg.account)) {
      const message = 'must not be named twice: add its postings up';
      ctx.addIssue({ code: 'custom', path: ['postings', index, 'account'], message });
    }
    accounts.add(leg.account);
    sums.set(leg.currency, (sums.get(leg.currency) ?? 0n) + leg.amount);
  });
  for (const [code, sum] of sums) {
    if (sum === 0n) continue;
    ctx.addIssue({ code: 'custom', path: ['postings'], message: `must sum to 0 in ${code}, not to ${sum}` });
  }
}

export const createTransactionBody = checked(transactionFields, ({ postings }, ctx) =>
  checkPostings(postings, ctx),
) satisfies z.ZodType<CreateTransaction>;

export const OVERLAP_SECONDS = 24 * 3600;
const OVERLAP_SECONDS_MAX = 7 * OVERLAP_SECONDS;

export const createEndpointBody = z.strictObject({
  url: z
    .string()
    .min(1)
    .max(2048, 'must be at most 2048 characters')
    .meta({
      description: 'Where events are posted to: `https`, on a public address.',
      examples: ['https://example.com/'],
    }),
  types: z
    .array(z.enum(EVENT_TYPES, `must be one of ${EVENT_TYPES.join(', ')}`))
    .min(1, 'must name a type, or be left out')
    .max(EVENT_TYPES.length)
    .refine((types) => new Set(types).size === types.length, 'must not name a type twice')
    .optional()
    .meta({ description: 'Which events; all unless given.' }),
  description: description.optional(),
});

export const rotateSecretBody = z.strictObject({
  overlap_seconds: z
    .int(`must be a whole number from 0 to ${OVERLAP_SECONDS_MAX}`)
    .min(0, `must be from 0 to ${OVERLAP_SECONDS_MAX}`)
    .max(OVERLAP_SECONDS_MAX, `must be from 0 to ${OVERLAP_SECONDS_MAX}`)
    .optional()
    .meta({
      description: 'For how long deliveries are signed with the secrets of before as well; a day unless given.',
    }),
});

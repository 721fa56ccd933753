/** Bodies of requests. Strict: an unknown field is refused. The fields of a payment are those of `src/payments`. */
import { z } from 'zod';
import { isSystemAccount, SYSTEM_PREFIXES } from '../../ledger/crossing.ts';
import { BALANCE_LIMIT_MAX, parseBalanceLimit, parseLegAmount } from '../../ledger/money.ts';
import { AMOUNT_MAX, LEGS_MAX } from '../../ledger/types.ts';
import { accountId, createPayment, currency, description, metadata, reference } from '../../payments/schema.ts';
import type { CreateAccount, CreateTransaction } from '../../payments/types.ts';

const WORLD_PREFIX = 'world:';

export const createPaymentBody = createPayment;

/** A whole number as an integer or as digits; `parse` decides. The union is what the OpenAPI document shows. */
function wholeNumber(parse: (value: unknown) => bigint | null, rule: string) {
  return z.union([z.int(), z.string()], { error: rule }).transform((value, ctx) => {
    const parsed = parse(value);
    if (parsed !== null) return parsed;
    ctx.addIssue({ code: 'custom', message: rule, input: value });
    return z.NEVER;
  });
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
const balanceLimit = z.union([z.null(), wholeNumber(parseBalanceLimit, LIMIT_RULE)], { error: LIMIT_RULE });

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
  if (id.startsWith(WORLD_PREFIX)) {
    if (id !== WORLD_PREFIX + account.currency) {
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

const posting = z.strictObject({
  account: accountId,
  amount: wholeNumber(parseLegAmount, LEG_RULE).meta({
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

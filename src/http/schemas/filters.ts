/** Parameters by which lists are filtered, `created[gte]` and the like, and what they mean together. */
import { z } from 'zod';
import { AMOUNT_MAX } from '../../ledger/types.ts';
import { AMOUNT_DIGITS, metadata } from '../../payments/schema.ts';
import type { TimeRange } from '../../payments/types.ts';

const PAIRS_MAX = 5;
const METADATA = /^metadata\[(.*)\]$/s;

/** Times are kept in milliseconds; what lies between two of them is kept apart from both. */
interface Instant {
  /** The last millisecond at or before it, and the first at or after it. */
  readonly floor: number;
  readonly ceil: number;
}

const time = z.iso
  .datetime({ offset: true, message: 'must be an RFC 3339 time, such as 2026-01-31T12:00:00Z' })
  .transform((value): Instant => {
    const floor = Date.parse(value);
    return { floor, ceil: /\.\d{3}\d*[1-9]/.test(value) ? floor + 1 : floor };
  })
  .optional();

export const createdFields = {
  'created[gte]': time.meta({ description: 'Created at this time or later.' }),
  'created[gt]': time.meta({ description: 'Created later than this time.' }),
  'created[lte]': time.meta({ description: 'Created at this time or earlier.' }),
  'created[lt]': time.meta({ description: 'Created earlier than this time.' }),
};

type CreatedParameters = { [Name in keyof typeof createdFields]?: Instant | undefined };

export function toTimeRange(query: CreatedParameters): TimeRange {
  const { 'created[gte]': gte, 'created[gt]': gt, 'created[lte]': lte, 'created[lt]': lt } = query;
  const from = [...(gte ? [gte.ceil] : []), ...(gt ? [gt.floor + 1] : [])];
  const to = [...(lte ? [lte.floor] : []), ...(lt ? [lt.ceil - 1] : [])];
  return {
    createdFrom: from.length === 0 ? undefined : new Date(Math.max(...from)),
    createdTo: to.length === 0 ? undefined : new Date(Math.min(...to)),
  };
}

const AMOUNT_RULE = `must be a whole number of minor units from 1 to ${AMOUNT_MAX}`;
const amount = z.string().regex(AMOUNT_DIGITS, AMOUNT_RULE).transform(BigInt).optional();

export const amountFields = {
  amount: amount.meta({ description: 'Of exactly this amount, in minor units.' }),
  'amount[gte]': amount.meta({ description: 'Of this amount or more.' }),
  'amount[lte]': amount.meta({ description: 'Of this amount or less.' }),
};

type AmountParameters = { [Name in keyof typeof amountFields]?: bigint | undefined };

/** For whoever parsed with {@link amountFields}. */
export function checkAmount(query: AmountParameters, context: z.RefinementCtx): void {
  const { amount: exact, 'amount[gte]': gte, 'amount[lte]': lte } = query;
  if (exact === undefined || (gte === undefined && lte === undefined)) return;
  const message = 'must not be given together with amount[gte] or amount[lte]';
  context.addIssue({ code: 'custom', path: ['amount'], message });
}

export function toAmountRange({ amount: exact, 'amount[gte]': gte, 'amount[lte]': lte }: AmountParameters) {
  return { amountFrom: exact ?? gte, amountTo: exact ?? lte };
}

/** In the document `key` stands for any key, and so it does in {@link checkMetadata}. */
export const metadataFields = {
  'metadata[key]': z
    .string()
    .optional()
    .meta({
      description: `With this value under this key of its metadata. Up to ${PAIRS_MAX} keys, all of which must fit.`,
    }),
};

/** Of an object that lets unknown parameters through: refuses those that are not `metadata[…]`, and those that cannot be. */
export function checkMetadata(known: readonly string[]) {
  const names = new Set(known);
  return (query: Record<string, unknown>, context: z.RefinementCtx): void => {
    const refuse = (name: string, message: string) => context.addIssue({ code: 'custom', path: [name], message });
    let pairs = 0;
    for (const [name, value] of Object.entries(query)) {
      const key = METADATA.exec(name)?.[1];
      if (key === undefined) {
        if (!names.has(name)) refuse(name, 'is not a known field');
        continue;
      }
      const { error } = metadata.safeParse({ [key]: value });
      const [issue] = error?.issues ?? [];
      if (issue) refuse(name, messageOf(issue));
      if (++pairs > PAIRS_MAX) refuse(name, `must not be given for more than ${PAIRS_MAX} keys`);
    }
  };
}

function messageOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_key') return `names a key that ${issue.issues[0]?.message}`;
  return issue.code === 'invalid_type' ? 'must be given once' : issue.message;
}

/** Undefined: any. */
export function toMetadata(query: Readonly<Record<string, unknown>>): Record<string, string> | undefined {
  const pairs = Object.entries(query).flatMap(([name, value]) => {
    const key = METADATA.exec(name)?.[1];
    return key === undefined || value === undefined ? [] : [[key, value as string] as const];
  });
  return pairs.length === 0 ? undefined : Object.fromEntries(pairs);
}

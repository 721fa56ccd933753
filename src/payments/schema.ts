/**
 * The fields of requests, as users write them: one set of rules for HTTP and the queue. All objects are strict, because
 * a field that is silently ignored is a promise silently broken.
 */
import { z } from 'zod';
import { isCurrency } from '../ledger/currencies.ts';
import { parseAmount } from '../ledger/money.ts';
import { AMOUNT_MAX } from '../ledger/types.ts';
import { BASIS_POINTS_WHOLE, divide, SplitError } from './splits.ts';
import type { CreatePayment, FollowPayment } from './types.ts';

const METADATA_KEYS_MAX = 50;
const SPLITS_MAX = 50;
const POINTS_RULE = `must be 1 to ${BASIS_POINTS_WHOLE} basis points`;
/** A text that is nothing but a MongoDB operator: no text of a payment, but a well-known attempt on a query. */
const OPERATOR = /^\$[a-z][A-Za-z]*$/;
/** Control characters and lone surrogates: neither survives storage, statements and terminals unchanged. */
const UNPRINTABLE = /[\p{Cc}\p{Cs}]/u;

function text(charactersMax: number) {
  return z
    .string()
    .min(1, 'must not be empty')
    .max(charactersMax, `must be at most ${charactersMax} characters`)
    .refine((value) => !UNPRINTABLE.test(value), 'must not hold control characters')
    .refine((value) => !OPERATOR.test(value), 'must not be a query operator');
}

/** Chosen by the client, e.g. `user:42:wallet`. */
export const accountId = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9:_.-]{0,127}$/,
    'must be 1 to 128 letters, digits or any of : _ . -, beginning with a letter or digit',
  );

/** Given by the ledger. */
export const paymentId = z
  .string()
  .regex(/^pay_[0-9A-Za-z-]{1,64}$/, 'must be the id of a payment, beginning with pay_');

const KEY_RULE = 'must be 1 to 255 printable ASCII characters';

/** By which a request is known to be the same as an earlier one. */
export const idempotencyKey = z.string(KEY_RULE).regex(/^[\x20-\x7e]{1,255}$/, KEY_RULE);

const AMOUNT_RULE = `must be a whole number of minor units from 1 to ${AMOUNT_MAX}, as an integer or a string of digits`;

/** An amount in digits: up to the highest one, which is all nines. */
export const AMOUNT_DIGITS = new RegExp(`^[1-9][0-9]{0,${String(AMOUNT_MAX).length - 1}}$`);

/** Minor units, read as a `bigint`; see {@link parseAmount}. */
const amount = z
  .union(
    [
      // Checked below, so that one fault is told of once.
      z.int(AMOUNT_RULE).meta({ minimum: 1, maximum: Number(AMOUNT_MAX) }),
      z.string().regex(AMOUNT_DIGITS, AMOUNT_RULE),
    ],
    { error: AMOUNT_RULE },
  )
  .transform((value, context) => {
    const parsed = parseAmount(value);
    if (parsed !== null) return parsed;
    context.addIssue({ code: 'custom', message: AMOUNT_RULE });
    return z.NEVER;
  });

const CURRENCY_RULE = 'must be an active ISO 4217 code in upper case';

export const currency = z
  .string()
  .regex(/^[A-Z]{3}$/, { error: CURRENCY_RULE, abort: true })
  .refine(isCurrency, CURRENCY_RULE)
  .meta({ description: 'ISO 4217.', examples: ['EUR'] });

/** What the payment is known by elsewhere, e.g. an invoice number. Reconciliation matches on it. */
export const reference = text(140);

export const description = text(500);

export const metadataKey = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$/, 'must be 1 to 40 letters, digits, _ or -, not beginning with _ or -');

export const metadataValue = text(500);

export const metadata = z
  .record(metadataKey, metadataValue)
  .refine((value) => Object.keys(value).length <= METADATA_KEYS_MAX, `must have at most ${METADATA_KEYS_MAX} keys`);

const details = {
  reference: reference.optional(),
  description: description.optional(),
  metadata: metadata.optional(),
};

const split = z.union([
  z.strictObject({ destination: accountId, amount }),
  z
    .strictObject({
      destination: accountId,
      basis_points: z.int().min(1, POINTS_RULE).max(BASIS_POINTS_WHOLE, POINTS_RULE),
    })
    .transform(({ destination, basis_points }) => ({ destination, basisPoints: basis_points })),
  z.strictObject({ destination: accountId, rest: z.literal(true) }),
]);

export const time = z.iso
  .datetime({ offset: true, message: 'must be an RFC 3339 time, such as 2026-01-31T12:00:00Z' })
  .transform((value) => new Date(value));

const paymentFields = z.strictObject({
  source: accountId,
  destination: accountId.optional().meta({ description: 'Who is paid; or give splits.' }),
  splits: z
    .array(split)
    .min(1, 'must have at least 1 split')
    .max(SPLITS_MAX, `must have at most ${SPLITS_MAX} splits`)
    .optional()
    .meta({
      description: 'Several destinations instead of one: by amount, by basis points, or what the others leave.',
    }),
  amount,
  currency,
  capture: z.enum(['automatic', 'manual'], 'must be automatic or manual').optional().meta({
    description: 'manual: the amount is only held, until it is captured, canceled or expires. automatic unless given.',
  }),
  expires_at: time.optional().meta({ description: 'Only with capture manual: from then on nothing can be captured.' }),
  ...details,
});

/** Body of `POST /v1/payments` and `data` of the event `payment.requested`; its output is a {@link CreatePayment}. */
export const createPayment = paymentFields.transform(({ expires_at, ...payment }, context) => {
  const request: CreatePayment = { ...payment, expiresAt: expires_at };
  checkPayment(request, context);
  return request;
}) satisfies z.ZodType<CreatePayment>;

/** The fields of one of many payments. */
export const paymentOfMany = paymentFields.extend({ idempotency_key: idempotencyKey });

/** Each rule between fields, with the field to blame. */
function checkPayment(
  { source, destination, splits, amount, capture, expiresAt }: CreatePayment,
  context: z.RefinementCtx,
) {
  const refuse = (path: (string | number)[], message: string) => context.addIssue({ code: 'custom', path, message });
  if ((destination === undefined) === (splits === undefined)) {
    refuse(destination === undefined ? ['destination'] : ['splits'], 'give either a destination or splits');
  }
  if (destination === source) refuse(['destination'], 'must be another account than the source');
  const named = new Set([source]);
  for (const [index, one] of (splits ?? []).entries()) {
    if (named.has(one.destination)) {
      refuse(['splits', index, 'destination'], 'must be another account than the source and the other destinations');
    }
    named.add(one.destination);
  }
  if (expiresAt !== undefined && capture !== 'manual')
    refuse(['expires_at'], 'is only for payments with capture manual');
  if (splits === undefined) return;
  try {
    divide(amount, splits);
  } catch (error) {
    if (!(error instanceof SplitError)) throw error;
    refuse(error.index === null ? ['splits'] : ['splits', error.index], error.message);
  }
}

/** Body of a cancel or a reversal: what the caller wants to remember. */
export const followBody = z.strictObject(details) satisfies z.ZodType<FollowPayment>;

/** Body of a refund. */
export const refundBody = z.strictObject({
  amount: amount.optional().meta({ description: 'All that is captured and not refunded, unless given.' }),
  ...details,
}) satisfies z.ZodType<FollowPayment>;

const captureFields = z.strictObject({
  amount: amount.optional().meta({ description: 'All that is held, unless given.' }),
  final: z.boolean().optional().meta({ description: 'Releases what is held beyond this. false unless given.' }),
  ...details,
});

function toCapture({ final, ...request }: z.output<typeof captureFields>): FollowPayment {
  return { ...request, isLast: final };
}

/** Body of a capture. */
export const captureBody = captureFields.transform(toCapture);

/** What an event asks to become of a payment that it names. */
export interface FollowRequest {
  readonly payment: string;
  readonly request: FollowPayment;
}

/** `data` of the event `payment.capture_requested`: the body of a capture, and the payment. */
export const captureRequest = captureFields
  .extend({ payment: paymentId })
  .transform(({ payment, ...body }): FollowRequest => ({ payment, request: toCapture(body) }));

/** `data` of the event `payment.cancel_requested`. */
export const cancelRequest = followBody
  .extend({ payment: paymentId })
  .transform(({ payment, ...request }): FollowRequest => ({ payment, request }));

/** `data` of the event `payment.refund_requested`. */
export const refundRequest = refundBody
  .extend({ payment: paymentId })
  .transform(({ payment, ...request }): FollowRequest => ({ payment, request }));

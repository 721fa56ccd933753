/**
 * The fields of requests, as users write them: one set of rules for HTTP and the queue. All objects are strict, because
 * a field that is silently ignored is a promise silently broken.
 */
import { z } from 'zod';
import { isCurrency } from '../ledger/currencies.ts';
import { parseAmount } from '../ledger/money.ts';
import { AMOUNT_MAX } from '../ledger/types.ts';
import type { CreatePayment } from './types.ts';

const METADATA_KEYS_MAX = 50;
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

const AMOUNT_RULE = `must be a whole number of minor units from 1 to ${AMOUNT_MAX}, as an integer or a string of digits`;

/** Minor units, read as a `bigint`; see {@link parseAmount}. */
const amount = z.union([z.int(AMOUNT_RULE), z.string()], { error: AMOUNT_RULE }).transform((value, context) => {
  const parsed = parseAmount(value);
  if (parsed !== null) return parsed;
  context.addIssue({ code: 'custom', message: AMOUNT_RULE });
  return z.NEVER;
});

export const currency = z.string().refine(isCurrency, 'must be an active ISO 4217 code in upper case');

/** What the payment is known by elsewhere, e.g. an invoice number. Reconciliation matches on it. */
export const reference = text(140);

export const description = text(500);

export const metadata = z
  .record(
    z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$/, 'must be 1 to 40 letters, digits, _ or -, not beginning with _ or -'),
    text(500),
  )
  .refine((value) => Object.keys(value).length <= METADATA_KEYS_MAX, `must have at most ${METADATA_KEYS_MAX} keys`);

/** Body of `POST /v1/payments` and `data` of the event `payment.requested`; its output is a {@link CreatePayment}. */
export const createPayment = z
  .strictObject({
    source: accountId,
    destination: accountId,
    amount,
    currency,
    reference: reference.optional(),
    description: description.optional(),
    metadata: metadata.optional(),
  })
  .refine((payment) => payment.source !== payment.destination, {
    path: ['destination'],
    error: 'must be another account than the source',
  }) satisfies z.ZodType<CreatePayment>;

/** The Idempotency-Key header: read strictly, documented as a header parameter. */
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Caller } from '../payments/types.ts';
import { type ProblemCode, ProblemError } from './problem.ts';

const IDEMPOTENCY_KEY_LENGTH_MAX = 255;
const PRINTABLE_ASCII = /^[\x20-\x7e]+$/;

/** For the OpenAPI document only: {@link callerOf} reads the header. */
export const idempotencyHeaders = z.object({
  'Idempotency-Key': z
    .string()
    .min(1)
    .max(IDEMPOTENCY_KEY_LENGTH_MAX)
    .meta({
      description:
        'Unique to this operation, up to 255 printable ASCII characters. Sent again with the same body: the first answer again, and no second effect.',
      examples: ['order-1042-payment'],
    }),
});

/** Who asks and under which key. Throws a {@link ProblemError} when the key is missing or malformed. */
export function callerOf(request: FastifyRequest): Caller {
  const key = request.headers['idempotency-key'];
  if (typeof key !== 'string' || key.length === 0) {
    throw refusal('idempotency_key_missing', 'Send an Idempotency-Key header, so that repeating the request is safe.');
  }
  if (key.length > IDEMPOTENCY_KEY_LENGTH_MAX || !PRINTABLE_ASCII.test(key)) {
    throw refusal('idempotency_key_invalid', 'The Idempotency-Key must be 1 to 255 printable ASCII characters.');
  }
  // Node joins repeated headers with a comma.
  if (key.includes(',') && headerCount(request, 'idempotency-key') > 1) {
    throw refusal('idempotency_key_invalid', 'Send one Idempotency-Key header, not several.');
  }
  return { client: request.principal.client, key };
}

function headerCount({ raw }: FastifyRequest, name: string): number {
  return raw.rawHeaders.filter((header, index) => index % 2 === 0 && header.toLowerCase() === name).length;
}

function refusal(code: ProblemCode, detail: string): ProblemError {
  return new ProblemError(code, detail, {
    errors: [{ header: 'Idempotency-Key', detail }],
  });
}

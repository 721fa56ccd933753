/** The Idempotency-Key header: read strictly, documented as a header parameter. */
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { keyOfItsOwn } from '../payments/callers.ts';
import { idempotencyKey } from '../payments/schema.ts';
import type { Caller } from '../payments/types.ts';
import { dryRunOf } from './dry-runs.ts';
import { type ProblemCode, ProblemError } from './problem.ts';

/** For the OpenAPI document only: {@link callerOf} reads the header. */
export const idempotencyHeaders = z.object({
  'Idempotency-Key': idempotencyKey.meta({
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
  if (!idempotencyKey.safeParse(key).success) {
    throw refusal('idempotency_key_invalid', 'The Idempotency-Key must be 1 to 255 printable ASCII characters.');
  }
  // Node joins repeated headers with a comma.
  if (key.includes(',') && headerCount(request, 'idempotency-key') > 1) {
    throw refusal('idempotency_key_invalid', 'Send one Idempotency-Key header, not several.');
  }
  return { client: request.principal.client, key, requestId: request.id, ...dryRunOf(request) };
}

/** The same for what need not have a key: one of its own is made then. */
export function optionalCallerOf(request: FastifyRequest): Caller {
  if (request.headers['idempotency-key'] !== undefined) return callerOf(request);
  const { principal, id: requestId } = request;
  return { client: principal.client, key: keyOfItsOwn(), requestId, ...dryRunOf(request) };
}

function headerCount({ raw }: FastifyRequest, name: string): number {
  return raw.rawHeaders.filter((header, index) => index % 2 === 0 && header.toLowerCase() === name).length;
}

function refusal(code: ProblemCode, detail: string): ProblemError {
  return new ProblemError(code, detail, {
    errors: [{ header: 'Idempotency-Key', detail }],
  });
}

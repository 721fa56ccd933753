/** How a route is described: its scope, its place in the OpenAPI document, and the problems it may answer. */
import type { FastifySchema } from 'fastify';
import type { z } from 'zod';
import { problemResource } from '../resources/schemas.ts';
import type { Scope } from './ports.ts';
import { PROBLEMS, type ProblemCode } from './problem.ts';

/** What any route that needs a key may answer. */
const COMMON: readonly ProblemCode[] = [
  'validation_failed',
  'unauthenticated',
  'insufficient_scope',
  'rate_limited',
  'internal_error',
  'unavailable',
];

export interface OtherBodies {
  /** What a body may be that is not JSON, by its content type: for the document only. */
  otherBodies?: Record<string, z.ZodType>;
}

interface Described extends FastifySchema, OtherBodies {
  summary: string;
  description?: string;
  tags: string[];
  response: Record<number, z.ZodType | Content>;
}

/** What is not JSON, by its content type. */
interface Content {
  description: string;
  content: Record<string, { schema: z.ZodType }>;
}

export type ProblemContent = {
  description: string;
  content: { 'application/problem+json': { schema: z.ZodType } };
};

/** The problem responses of a route, one a status, each naming its codes. */
export function problemResponses(codes: readonly ProblemCode[]): Record<number, ProblemContent> {
  const byStatus = new Map<number, ProblemCode[]>();
  for (const code of codes) {
    const { status } = PROBLEMS[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, names]) => [
      status,
      {
        description: names.join(', '),
        content: { 'application/problem+json': { schema: problemResource } },
      },
    ]),
  );
}

/** Route options of an operation that needs a key with `scope`. `codes`: problems beyond those of every operation. */
export function operation<S extends Described>(scope: Scope, codes: readonly ProblemCode[], schema: S) {
  const response = {
    ...schema.response,
    ...problemResponses([...COMMON, ...codes]),
  } as S['response'];
  return {
    config: { scope },
    schema: { ...schema, response, security: [{ apiKey: [] }] } as Omit<S, 'response'> & { response: S['response'] },
  };
}

/** Beyond {@link COMMON}: what a route with a body may answer. */
export const BODY_CODES: readonly ProblemCode[] = ['invalid_json', 'body_too_large', 'unsupported_media_type'];

/** Beyond {@link MONEY_CODES}: what a route that captures or releases a payment may answer. */
export const CAPTURE_CODES: readonly ProblemCode[] = [
  'not_found',
  'nothing_held',
  'capture_exceeds_held',
  'authorization_expired',
];
/** Beyond {@link COMMON}: what a route may answer that changes something as it was read. */
export const CONDITION_CODES: readonly ProblemCode[] = ['precondition_required', 'precondition_failed'];

/** Beyond {@link COMMON}: what a route that moves money may answer. */
export const MONEY_CODES: readonly ProblemCode[] = [
  ...BODY_CODES,
  'idempotency_key_missing',
  'idempotency_key_invalid',
  'idempotency_key_in_progress',
  'idempotency_key_reused',
  'account_not_found',
  'currency_mismatch',
  'invalid_command',
  'insufficient_funds',
  'balance_limit_exceeded',
  'expired',
  'account_frozen',
  'account_closed',
  'overloaded',
  'outcome_unknown',
];

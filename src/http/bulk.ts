/** Many payments in one request, each with a key and a result of its own. */
import { AsyncResource } from 'node:async_hooks';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { FastifyRequest } from 'fastify';
import type { z } from 'zod';
import type { Payments } from '../payments/types.ts';
import { presentPayment } from '../resources/present.ts';
import type { bulkResult } from '../resources/schemas.ts';
import { dryRunOf } from './dry-runs.ts';
import { rejectionProblem, toProblem } from './faults.ts';
import { PROBLEMS, ProblemError, problemBody } from './problem.ts';
import { bulkItem, createPaymentBody } from './schemas/requests.ts';
import { parsed } from './validation.ts';

export type BulkResult = z.output<typeof bulkResult>;

/** Lines in flight; the next is read when the first of these is answered. */
const IN_FLIGHT_MAX = 1_000;
const LINE_LENGTH_MAX = 64 * 1024;

/** Who asks, and what errors are named by. */
export type Asked = Pick<FastifyRequest, 'principal' | 'id' | 'query'>;

/** What became of one payment. Never rejects. */
export async function payOne(payments: Payments, asked: Asked, item: unknown, index: number): Promise<BulkResult> {
  const told = (item ?? {}) as { idempotency_key?: unknown };
  let key: string | null = null;
  try {
    if (item instanceof ProblemError) throw item;
    const { idempotency_key, ...fields } = parsed(bulkItem, item);
    key = idempotency_key;
    const dry = dryRunOf(asked);
    const caller = { client: asked.principal.client, key, requestId: asked.id, isOneOfMany: true, ...dry };
    const { value, replayed } = await payments.createPayment(parsed(createPaymentBody, fields), caller);
    if (value.status === 'rejected') throw rejectionProblem(value, replayed);
    return resultOf(index, key, {
      status: dry.dryRun ? 200 : 201,
      replayed,
      payment: presentPayment(value),
      error: null,
    });
  } catch (error) {
    const problem = toProblem(error, { body: told, query: {} });
    const { status } = PROBLEMS[problem.code];
    const { instance = '/v1/payments/bulk', requestId = asked.id, headers = {} } = problem.extras;
    const replayed = 'idempotent-replayed' in headers;
    const body = JSON.parse(problemBody(problem, instance, requestId)) as NonNullable<BulkResult['error']>;
    return resultOf(index, key, { status, replayed, payment: null, error: body });
  }
}

function resultOf(
  index: number,
  key: string | null,
  rest: Pick<BulkResult, 'status' | 'replayed' | 'payment' | 'error'>,
): BulkResult {
  return { object: 'bulk_result', index, idempotency_key: key, ...rest };
}

/** A result a line for a payment a line, in their order, as they come: neither is ever held as a whole. */
export function payLines(payments: Payments, asked: Asked, lines: Readable): AsyncGenerator<string> {
  // Lines arrive in events of the connection, which belong to no request; the payments belong to this one.
  const pay = AsyncResource.bind((item: unknown, index: number) => payOne(payments, asked, item, index));
  return results(lines, pay);
}

type PayLine = (item: unknown, index: number) => Promise<BulkResult>;

async function* results(lines: Readable, pay: PayLine): AsyncGenerator<string> {
  const waiting: Promise<BulkResult>[] = [];
  let index = 0;
  for await (const line of createInterface({ input: lines, crlfDelay: Number.POSITIVE_INFINITY })) {
    if (line.trim() === '') continue;
    waiting.push(pay(itemOf(line), index++));
    if (waiting.length >= IN_FLIGHT_MAX) yield lineOf(await waiting.shift()!);
  }
  for (const result of waiting) yield lineOf(await result);
}

function itemOf(line: string): unknown {
  const refused = (detail: string) => new ProblemError('invalid_json', detail);
  if (line.length > LINE_LENGTH_MAX) return refused(`A line is at most ${LINE_LENGTH_MAX} characters.`);
  try {
    return JSON.parse(line) as unknown;
  } catch {
    return refused('The line is not valid JSON.');
  }
}

function lineOf(result: BulkResult): string {
  return `${JSON.stringify(result)}\n`;
}

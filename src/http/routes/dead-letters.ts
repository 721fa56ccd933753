import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import type { z } from 'zod';
import { BODY_CODES, operation } from '../operation.ts';
import { type ProblemCode, ProblemError } from '../problem.ts';
import {
  deadLetterList,
  deadLetterParams,
  type deadLetterResource,
  deadLettersQuery,
  deadLetterWithBody,
  dropBody,
  dropResult,
  LIMIT_MAX,
  redriveBody,
  redriveResult,
} from '../schemas/dead-letters.ts';
import { noQuery } from '../schemas/queries.ts';

/** Clients wait for 30 s. What was held is given back in the rest. */
const MS_MAX = 20_000;

export interface DeadLetter {
  readonly id: string;
  readonly reason: string;
  readonly code: string | null;
  readonly detail: string | null;
  readonly originalMessageId: string | null;
  readonly receiveCount: number | null;
  readonly sentAt: Date | null;
  readonly event: { readonly id: string; readonly type: string } | null;
  readonly size: number;
  readonly history: readonly z.output<typeof deadLetterResource>['history'][number][];
}

interface Order {
  readonly choice: { readonly ids: readonly string[] } | { readonly reason: string } | { readonly all: true };
  readonly limit: number;
  readonly msMax: number;
}

interface Outcome {
  readonly done: number;
  readonly failed: number;
  readonly notDeleted: number;
  readonly missing: readonly string[];
  readonly more: boolean;
  readonly problem: string | null;
}

/**
 * What the routes need of the queue room; `src/main.ts` wires it. What cannot reach its queues rejects with the code
 * `queue_unavailable`; what does not find a letter, with `not_found`.
 */
export interface DeadLetters {
  list(look: {
    readonly limit: number;
    readonly reason?: string | undefined;
    readonly msMax: number;
  }): Promise<{ letters: DeadLetter[]; more: boolean }>;
  show(
    id: string,
    bounds: { readonly msMax: number },
  ): Promise<{ letter: DeadLetter; body: string; encoding: string | null }>;
  redrive(order: Order & { readonly ratePerSecond?: number | undefined }): Promise<Outcome>;
  drop(order: Order): Promise<Outcome>;
}

const tags = ['dead letters'];
const CODES: readonly ProblemCode[] = ['no_queue'];

const list = operation('operations', CODES, {
  tags,
  summary: 'List dead letters, oldest first',
  description:
    'Looks through the dead-letter queue, up to 10,000 letters, for 20 seconds at most. What is looked at is hidden from others until the answer.',
  querystring: deadLettersQuery,
  response: { 200: deadLetterList },
});

const get = operation('operations', [...CODES, 'not_found'], {
  tags,
  summary: 'Get a dead letter, with its body',
  params: deadLetterParams,
  querystring: noQuery,
  response: { 200: deadLetterWithBody },
});

const redrive = operation('operations', [...BODY_CODES, ...CODES, 'outcome_unknown'], {
  tags,
  summary: 'Send dead letters back to the queue that they came from',
  description:
    'Each is sent, and then deleted. An event has one effect, however often it is sent. It takes 20 seconds at most: while `more` is true, ask again.',
  querystring: noQuery,
  body: redriveBody,
  response: { 200: redriveResult },
});

const drop = operation('operations', [...BODY_CODES, ...CODES, 'outcome_unknown'], {
  tags,
  summary: 'Delete dead letters for good',
  querystring: noQuery,
  body: dropBody,
  response: { 200: dropResult },
});

export function deadLetterRoutes(given: DeadLetters | null): FastifyPluginAsyncZod {
  return async (app) => {
    const letters = () => {
      if (given !== null) return given;
      throw new ProblemError('no_queue', 'This service has no queue of SQS, and so no dead letters.');
    };
    const noted = (error: unknown): never => {
      if ((error as { code?: unknown }).code !== 'queue_unavailable') throw error;
      // Why is for whoever runs the service.
      app.log.warn({ err: error }, 'the queues of dead letters cannot be worked with');
      throw new ProblemError('unavailable', 'The queues cannot be worked with: send the same request again later.');
    };
    app.get('/v1/dead_letters', list, async ({ query }) => {
      const page = await letters()
        .list({ ...query, msMax: MS_MAX })
        .catch(noted);
      return { object: 'dead_letters' as const, data: page.letters.map(presentLetter), more: page.more };
    });
    app.get('/v1/dead_letters/:id', get, async ({ params }) => {
      const { letter, body, encoding } = await letters().show(params.id, { msMax: MS_MAX }).catch(noted);
      return { ...presentLetter(letter), content_encoding: encoding, body };
    });
    const redriven = {
      ...redrive,
      config: { ...redrive.config, audited: 'dead_letters_redriven', auditDetails },
    } as const;
    app.post('/v1/dead_letters/redrive', redriven, async ({ body }) => {
      const order = { ...orderOf(body), ratePerSecond: body.rate_per_second };
      const { done, notDeleted, ...outcome } = await letters().redrive(order).catch(noted);
      const result = { object: 'dead_letter_redrive' as const, redriven: done, not_deleted: notDeleted };
      return { ...result, ...presentOutcome(outcome) };
    });
    const dropped = { ...drop, config: { ...drop.config, audited: 'dead_letters_dropped', auditDetails } } as const;
    app.post('/v1/dead_letters/drop', dropped, async ({ body }) => {
      const { done, ...outcome } = await letters().drop(orderOf(body)).catch(noted);
      return { object: 'dead_letter_drop' as const, dropped: done, ...presentOutcome(outcome) };
    });
  };
}

function orderOf({ ids, reason, limit = LIMIT_MAX }: z.output<typeof dropBody>): Order {
  const choice = ids !== undefined ? { ids } : reason !== undefined ? { reason } : { all: true as const };
  return { choice, limit, msMax: MS_MAX };
}

function presentLetter(letter: DeadLetter): z.output<typeof deadLetterResource> {
  const { originalMessageId, receiveCount, sentAt, history, ...same } = letter;
  return {
    object: 'dead_letter',
    ...same,
    original_message_id: originalMessageId,
    receive_count: receiveCount,
    sent_at: sentAt?.toISOString() ?? null,
    history: [...history],
  };
}

function presentOutcome({ failed, missing, more, problem }: Omit<Outcome, 'done' | 'notDeleted'>) {
  return { failed, missing: [...missing], more: more || problem !== null };
}

/** Which letters, and how many it came to. */
function auditDetails(body: unknown, answer: unknown): Record<string, string> {
  const { ids, reason } = body as z.output<typeof dropBody>;
  const { redriven, dropped, failed } = answer as Record<string, number>;
  return {
    chosen: ids !== undefined ? `ids ${ids.join(' ')}` : reason !== undefined ? `reason ${reason}` : 'all',
    done: String(redriven ?? dropped),
    failed: String(failed),
  };
}

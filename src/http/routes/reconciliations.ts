import { finished, PassThrough, Readable } from 'node:stream';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Page, PageQuery } from '../../payments/types.ts';
import { presentList } from '../../resources/present.ts';
import { listOf } from '../../resources/schemas.ts';
import { BODY_CODES, operation } from '../operation.ts';
import { ProblemError } from '../problem.ts';
import { noQuery, pageQuery, toPage } from '../schemas/queries.ts';

const UPLOAD_BYTES_MAX = 50 * 1_048_576;

/** What the routes need of the jobs room; `src/main.ts` wires it. Answers are ready to be sent. */
export interface ReconciliationJobs {
  /** Reads the whole statement, then goes on in the background. Throws errors with a `code`; see `startProblem`. */
  start(csv: AsyncIterable<Uint8Array>, query: StartQuery): Promise<Answer>;
  get(id: string): Promise<Answer>;
  items(id: string, page: PageQuery): Promise<Page<Answer>>;
}

type Answer = Readonly<Record<string, unknown>>;
interface StartQuery {
  from?: string | undefined;
  to?: string | undefined;
  windowDays?: number | undefined;
  account?: string | undefined;
}

const reconciliationParams = z.strictObject({ id: z.string().regex(/^rec_[0-9A-Za-z-]{1,64}$/) });

const day = z.iso.date('must be a date such as 2026-01-31').optional();
const startQuery = z.strictObject({
  from: day.meta({ description: 'First day of the period; that of the statement unless given.' }),
  to: day.meta({ description: 'Last day of the period.' }),
  window_days: z
    .string()
    .regex(/^(?:[12]?[0-9]|30)$/, 'must be 0 to 30')
    .transform(Number)
    .optional()
    .meta({ description: 'How many days the two dates of a payment may be apart; 1 unless given.' }),
  account: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9:_.-]{0,127}\*?$/, 'must be the id of an account, or its beginning and *')
    .optional()
    .meta({ description: 'Only payments from or to this account; `world:*` means all that begin with `world:`.' }),
});

const reconciliationResource = z
  .looseObject({
    object: z.literal('reconciliation'),
    id: z.string(),
    status: z.enum(['running', 'succeeded', 'failed']),
    started_at: z.string(),
    finished_at: z.string().nullable(),
    ok: z.boolean().nullable().meta({ description: 'Nothing broken, nothing different; null until it has succeeded.' }),
    failure: z.string().nullable(),
    internal: z.looseObject({}).nullable().meta({ description: 'What verifying the ledger found.' }),
    external: z.looseObject({}).nullable().meta({ description: 'What comparing the statement found, in numbers.' }),
  })
  .meta({ id: 'Reconciliation' });

const itemResource = z
  .looseObject({
    object: z.literal('reconciliation_item'),
    id: z.string(),
    outcome: z.string(),
    reference: z.string(),
    statement: z.looseObject({}).nullable(),
    payment: z.looseObject({}).nullable(),
    message: z.string(),
  })
  .meta({ id: 'ReconciliationItem' });

/** For the OpenAPI document only: it is read as a stream. */
const statement = z
  .unknown()
  .meta({ type: 'string', description: 'The CSV, UTF-8, its columns named in the first line.' });

const tags = ['reconciliations'];

const start = operation('operations', [...BODY_CODES, 'overloaded', 'outcome_unknown'], {
  tags,
  summary: 'Compare a bank statement (CSV) with the ledger',
  description:
    'The body is the CSV itself, up to 50 MiB, with the columns reference, amount (in major units), currency and date. ' +
    'It is read before the answer and compared after it. 400 names the line that is wrong.',
  consumes: ['text/csv'],
  querystring: startQuery,
  body: statement,
  response: { 202: reconciliationResource },
});

const get = operation('operations', ['not_found'], {
  tags,
  summary: 'Get a reconciliation',
  params: reconciliationParams,
  querystring: noQuery,
  response: { 200: reconciliationResource },
});

const items = operation('operations', ['not_found', 'invalid_cursor'], {
  tags,
  summary: 'List the differences of a reconciliation, in the order of the statement',
  params: reconciliationParams,
  querystring: pageQuery,
  response: { 200: listOf(itemResource) },
});

export function reconciliationRoutes(jobs: ReconciliationJobs): FastifyPluginAsyncZod {
  return async (app) => {
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('text/csv', (_request, payload, done) => done(null, payload));
    app.addContentTypeParser('*', (_request, _payload, done) => done(notCsv()));
    const config = { ...start.config, audited: 'reconciliation_started' } as const;
    app.post('/v1/reconciliations', { ...start, config, bodyLimit: UPLOAD_BYTES_MAX }, async (request, reply) => {
      const { window_days: windowDays, ...query } = request.query;
      const { body } = request;
      if (!(body instanceof Readable)) throw notCsv();
      const csv = copyOf(body);
      const started = await jobs.start(csv, { ...query, windowDays }).catch((error: unknown) => {
        // The rest is thrown away, or the next request on this connection would wait behind it for ever.
        body.unpipe(csv).resume();
        csv.destroy();
        throw startProblem(error);
      });
      reply.code(202).header('location', `/v1/reconciliations/${started.id}`);
      return started as z.output<typeof reconciliationResource>;
    });
    app.get('/v1/reconciliations/:id', get, async (request) => {
      return (await jobs.get(request.params.id)) as z.output<typeof reconciliationResource>;
    });
    app.get('/v1/reconciliations/:id/items', items, async (request) => {
      const { id } = request.params;
      const page = await jobs.items(id, toPage(request.query));
      const present = (item: Answer) => item as z.output<typeof itemResource>;
      return presentList(page, present, `/v1/reconciliations/${id}/items`);
    });
  };
}

/** Not the body itself: who reads a stream may end it at the first wrong line, and so the connection before the answer. */
function copyOf(body: Readable): PassThrough {
  const copy = new PassThrough();
  finished(body, (error) => {
    if (error) copy.destroy(new ProblemError('invalid_request', 'The statement was cut off: send it again.'));
  });
  return body.pipe(copy);
}

function notCsv(): ProblemError {
  const detail = 'Send the statement as the body, with Content-Type: text/csv.';
  return new ProblemError('unsupported_media_type', detail, { errors: [{ pointer: '', detail }] });
}

function startProblem(error: unknown): unknown {
  const { code, message } = error as { code?: unknown; message: string };
  const errors = [{ pointer: '', detail: message }];
  if (code === 'statement_invalid') {
    return new ProblemError('validation_failed', `The statement cannot be used: ${message}`, { errors });
  }
  if (code === 'statement_too_large') return new ProblemError('body_too_large', message, { errors });
  if (code === 'reconciliation_running') return new ProblemError('overloaded', message);
  return error;
}

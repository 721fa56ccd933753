import { finished, PassThrough, Readable } from 'node:stream';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Page, PageQuery } from '../../payments/types.ts';
import { presentList } from '../../resources/present.ts';
import {
  type BreakResource,
  breakResource,
  listOf,
  type ReconciliationResource,
  reconciliationResource,
} from '../../resources/schemas.ts';
import { BODY_CODES, operation } from '../operation.ts';
import { ProblemError } from '../problem.ts';
import { noQuery, pageQuery, toPage } from '../schemas/queries.ts';
import {
  matchResource,
  REPORT_TYPES,
  type ReportFormat,
  reconciliationParams,
  reconciliationsQuery,
  reportQuery,
  type StartQuery,
  startQuery,
  toStart,
} from '../schemas/reconciliations.ts';

const UPLOAD_BYTES_MAX = 2 ** 30;

type Plain = Readonly<Record<string, unknown>>;

/** What the routes need of the reconciliation room; `src/wiring` wires it. Answers are ready to be sent. */
export interface ReconciliationJobs {
  /** Reads the whole statement, then goes on in the background. Throws errors with a `code`; see `startProblem`. */
  start(
    statement: AsyncIterable<Uint8Array>,
    query: StartQuery,
    startedBy: string,
  ): Promise<{ reconciliation: ReconciliationResource; isKnown: boolean }>;
  /** The ledger against itself, in the background. */
  begin(startedBy: string, isFull: boolean): Promise<ReconciliationResource>;
  get(id: string): Promise<ReconciliationResource>;
  list(
    filter: { source?: string | undefined; status?: ReconciliationResource['status'] | undefined },
    page: PageQuery,
  ): Promise<Page<ReconciliationResource>>;
  items(id: string, page: PageQuery): Promise<Page<BreakResource>>;
  matches(id: string, page: PageQuery): Promise<Page<Plain>>;
  report(id: string, format: ReportFormat): Promise<AsyncIterable<string>>;
}

/** For the OpenAPI document only: it is read as a stream. */
const statement = z.unknown().meta({ type: 'string', description: 'The statement as its sender wrote it.' });
/** Any other is taken too: what it is, its first bytes and the query say. */
const STATEMENT_TYPES = ['text/csv', 'application/xml', 'text/xml', 'text/plain', 'application/octet-stream'];

const tags = ['reconciliations'];

const start = operation('operations', [...BODY_CODES, 'overloaded', 'outcome_unknown', 'unknown_source'], {
  tags,
  summary: 'Reconcile a statement with the ledger; without a body, the ledger with itself',
  description:
    'The body is the file itself: camt.053, MT940, CSV or a settlement report, up to 1 GiB. It is read before the answer and compared after it. 400 names the line that is wrong, and nothing is kept then. The same file again, for the same source, is answered with 200 and what it was the first time.',
  consumes: STATEMENT_TYPES,
  'x-optional-body': true,
  querystring: startQuery,
  body: statement.optional(),
  response: { 200: reconciliationResource, 202: reconciliationResource },
});

const list = operation('operations', ['invalid_cursor'], {
  tags,
  summary: 'List reconciliations, newest first',
  querystring: reconciliationsQuery,
  response: { 200: listOf(reconciliationResource) },
});

const of = { tags, params: reconciliationParams };

const get = operation('operations', ['not_found'], {
  ...of,
  summary: 'Get a reconciliation',
  querystring: noQuery,
  response: { 200: reconciliationResource },
});

const items = operation('operations', ['not_found', 'invalid_cursor'], {
  ...of,
  summary: 'List the breaks that a reconciliation has opened, in the order of the statement',
  querystring: pageQuery,
  response: { 200: listOf(breakResource) },
});

const matches = operation('operations', ['not_found', 'invalid_cursor'], {
  ...of,
  summary: 'List what was matched, by which rule, and how sure that is',
  querystring: pageQuery,
  response: { 200: listOf(matchResource) },
});

const report = operation('operations', ['not_found'], {
  ...of,
  summary: 'The report of a reconciliation, as a page with pictures, a table or JSON',
  querystring: reportQuery,
  response: {
    200: {
      description: 'The report.',
      content: {
        [REPORT_TYPES.json]: { schema: z.looseObject({}) },
        [REPORT_TYPES.csv]: { schema: z.unknown().meta({ type: 'string' }) },
        [REPORT_TYPES.html]: { schema: z.unknown().meta({ type: 'string' }) },
      },
    },
  },
});

export function reconciliationRoutes(jobs: ReconciliationJobs): FastifyPluginAsyncZod {
  return async (app) => {
    app.removeAllContentTypeParsers();
    for (const type of STATEMENT_TYPES) {
      app.addContentTypeParser(type, (_request, payload, done) => done(null, payload));
    }
    app.addContentTypeParser('*', (_request, _payload, done) => done(notStatement()));
    const config = { ...start.config, audited: 'reconciliation_started' } as const;
    app.post('/v1/reconciliations', { ...start, config, bodyLimit: UPLOAD_BYTES_MAX }, async (request, reply) => {
      const { body } = request;
      const startedBy = `client ${request.principal.client}`;
      reply.code(202);
      if (!(body instanceof Readable)) {
        const begun = await jobs.begin(startedBy, request.query.full === true).catch((error: unknown) => {
          throw startProblem(error);
        });
        reply.header('location', `/v1/reconciliations/${begun.id}`);
        return begun;
      }
      const copy = copyOf(body);
      const started = await jobs.start(copy, toStart(request.query), startedBy).catch((error: unknown) => {
        // The rest is thrown away, or the next request on this connection would wait behind it for ever.
        body.unpipe(copy).resume();
        copy.destroy();
        throw startProblem(error);
      });
      const { reconciliation, isKnown } = started;
      if (isKnown) reply.code(200).header('idempotent-replayed', 'true');
      reply.header('location', `/v1/reconciliations/${reconciliation.id}`);
      return reconciliation;
    });
    app.get('/v1/reconciliations', list, async ({ query }) => {
      const { source, status } = query;
      const page = await jobs.list({ source, status }, toPage(query));
      return presentList(page, (one) => one, '/v1/reconciliations');
    });
    app.get('/v1/reconciliations/:id', get, async ({ params }) => jobs.get(params.id));
    app.get('/v1/reconciliations/:id/items', items, async ({ params: { id }, query }) => {
      const page = await jobs.items(id, toPage(query));
      return presentList(page, (one) => one, `/v1/reconciliations/${id}/items`);
    });
    app.get('/v1/reconciliations/:id/matches', matches, async ({ params: { id }, query }) => {
      const page = await jobs.matches(id, toPage(query));
      const present = (one: Plain) => one as z.output<typeof matchResource>;
      return presentList(page, present, `/v1/reconciliations/${id}/matches`);
    });
    app.get('/v1/reconciliations/:id/report', report, async ({ params: { id }, query: { format } }, reply) => {
      const pieces = await jobs.report(id, format);
      reply.header('content-type', REPORT_TYPES[format]);
      reply.header('content-disposition', `attachment; filename="${id}.${format}"`);
      return reply.send(Readable.from(pieces));
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

function notStatement(): ProblemError {
  const detail = `Send the statement as the body, with a Content-Type such as ${STATEMENT_TYPES.join(', ')}.`;
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
  if (code === 'unknown_source') return new ProblemError('unknown_source', message);
  return error;
}

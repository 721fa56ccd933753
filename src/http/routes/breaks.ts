import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import type { CreateTransaction, Page, PageQuery } from '../../payments/types.ts';
import { presentList } from '../../resources/present.ts';
import { type BreakResource, breakResource, listOf } from '../../resources/schemas.ts';
import { BODY_CODES, MONEY_CODES, operation } from '../operation.ts';
import type { OperatorAction } from '../ports.ts';
import { ProblemError } from '../problem.ts';
import { noQuery, toPage } from '../schemas/queries.ts';
import {
  ageingQuery,
  ageingResource,
  assignBody,
  breakParams,
  breaksQuery,
  commentBody,
  resolveBody,
} from '../schemas/reconciliations.ts';

/** What the routes need of the work list of breaks. Answers are ready to be sent. */
export interface BreakList {
  listBreaks(
    filter: {
      source?: string | undefined;
      status?: 'open' | 'resolved' | undefined;
      cause?: BreakResource['cause'] | undefined;
      currency?: string | undefined;
      assignee?: string | null | undefined;
      olderThanDays?: number | undefined;
    },
    page: PageQuery,
  ): Promise<Page<BreakResource>>;
  getBreak(id: string): Promise<BreakResource>;
  assign(id: string, assignee: string | null): Promise<BreakResource>;
  comment(id: string, by: string, text: string): Promise<BreakResource>;
  resolve(id: string, by: string, reason: string, transaction?: CreateTransaction): Promise<BreakResource>;
  ageing(source?: string): Promise<Readonly<Record<string, unknown>>>;
}

const tags = ['breaks'];
const of = { tags, params: breakParams, querystring: noQuery, response: { 200: breakResource } };

const list = operation('operations', ['invalid_cursor'], {
  tags,
  summary: 'List breaks, the oldest first',
  querystring: breaksQuery,
  response: { 200: listOf(breakResource) },
});

const ageing = operation('operations', [], {
  tags,
  summary: 'Count open breaks by source, cause, currency and age',
  querystring: ageingQuery,
  response: { 200: ageingResource },
});

const get = operation('operations', ['not_found'], { ...of, summary: 'Get a break' });

const assign = operation('operations', [...BODY_CODES, 'not_found', 'break_resolved', 'outcome_unknown'], {
  ...of,
  summary: 'Say who looks into a break',
  body: assignBody,
});

const comment = operation('operations', [...BODY_CODES, 'not_found', 'outcome_unknown'], {
  ...of,
  summary: 'Write something about a break',
  body: commentBody,
});

const resolve = operation('operations', [...MONEY_CODES, 'not_found', 'break_resolved', 'adjustment_rejected'], {
  ...of,
  summary: 'Resolve a break, with a reason or with a transaction that adjusts the ledger',
  description: 'The same once more is answered alike, and posts nothing further.',
  body: resolveBody,
});

export function breakRoutes(breaks: BreakList): FastifyPluginAsyncZod {
  return async (app) => {
    app.get('/v1/breaks', list, async ({ query }) => {
      const { source, status, cause, currency, assignee, unassigned, older_than_days: olderThanDays } = query;
      const filter = { source, status, cause, currency, assignee: unassigned ? null : assignee, olderThanDays };
      return presentList(await breaks.listBreaks(filter, toPage(query)), (one) => one, '/v1/breaks');
    });
    app.get('/v1/breaks/ageing', ageing, async ({ query }) => {
      return (await breaks.ageing(query.source)) as never;
    });
    app.get('/v1/breaks/:id', get, async ({ params }) => breaks.getBreak(params.id));
    app.post('/v1/breaks/:id/assign', audited(assign, 'break_assigned'), async ({ params, body }) => {
      return await breaks.assign(params.id, body.assignee).catch(noted);
    });
    app.post('/v1/breaks/:id/comments', audited(comment, 'break_commented'), async (request) => {
      return await breaks.comment(request.params.id, by(request), request.body.text).catch(noted);
    });
    app.post('/v1/breaks/:id/resolve', audited(resolve, 'break_resolved'), async (request) => {
      const { reason, transaction } = request.body;
      return await breaks.resolve(request.params.id, by(request), reason, transaction).catch(noted);
    });
  };
}

function by({ principal }: { principal: { client: string } }): string {
  return `client ${principal.client}`;
}

function audited<Route extends { config: object }>(route: Route, action: OperatorAction) {
  const auditDetails = (body: unknown) => {
    const { assignee, reason } = body as { assignee?: string | null; reason?: string };
    return {
      ...(assignee === undefined ? {} : { assignee: String(assignee) }),
      ...(reason === undefined ? {} : { reason }),
    };
  };
  return { ...route, config: { ...route.config, audited: action, auditDetails } };
}

function noted(error: unknown): never {
  const { code, message } = error as { code?: unknown; message: string };
  if (code === 'break_resolved') throw new ProblemError('break_resolved', message);
  if (code === 'adjustment_rejected') throw new ProblemError('adjustment_rejected', message);
  throw error;
}

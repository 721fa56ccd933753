import type { FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import type { Events } from '../../events/feed.ts';
import { presentEvent } from '../../events/present.ts';
import { eventPage, eventResource } from '../../events/schemas.ts';
import { operation } from '../operation.ts';
import { ProblemError } from '../problem.ts';
import { toTimeRange } from '../schemas/filters.ts';
import { eventParams, eventsQuery, noQuery } from '../schemas/queries.ts';

const tags = ['events'];

const list = operation('payments:read', ['invalid_cursor'], {
  tags,
  summary: 'List events, oldest first',
  description:
    'Straight from the journal, and from the log of what reconciliations found: every change is in it once, those of one ' +
    'group in the order in which they happened. ' +
    'Go on from `next_cursor`, at once while `has_more` is true, else later: nothing is missed and nothing comes twice. ' +
    'A page may hold fewer events than asked for, or none, while there are more. ' +
    'Those of reconciliations are given to keys with the scope `operations` alone.',
  querystring: eventsQuery,
  response: { 200: eventPage },
});

const get = operation('payments:read', ['not_found'], {
  tags,
  summary: 'Get an event',
  params: eventParams,
  querystring: noQuery,
  response: { 200: eventResource },
});

export function eventRoutes(events: Events): FastifyPluginAsyncZod {
  return async (app) => {
    app.get('/v1/events', list, async (request) => {
      const { limit, cursor, types, account } = request.query;
      const { createdFrom } = toTimeRange(request.query);
      const isJournalOnly = !mayReadNotices(request);
      const page = await events.page({ limit, cursor, types, account, createdFrom, isJournalOnly });
      return {
        object: 'list' as const,
        data: page.data.map(presentEvent),
        has_more: page.hasMore,
        next_cursor: page.nextCursor,
        url: '/v1/events',
      };
    });
    app.get('/v1/events/:id', get, async (request) => {
      const { id } = request.params;
      const event = await events.get(id);
      if (event.book !== null || mayReadNotices(request)) return presentEvent(event);
      throw new ProblemError('not_found', `There is no event ${id}.`);
    });
  };
}

/** They say what stands in statements of banks, which is for whoever may read these. */
function mayReadNotices({ principal }: FastifyRequest): boolean {
  return principal.scopes.has('operations');
}

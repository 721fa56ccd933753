import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { presentList } from '../../resources/present.ts';
import { listOf } from '../../resources/schemas.ts';
import { presentDelivery, presentEndpoint, presentWithSecret } from '../../webhooks/present.ts';
import { deliveryResource, endpointResource, endpointWithSecret, removedEndpoint } from '../../webhooks/schemas.ts';
import type { Webhooks } from '../../webhooks/types.ts';
import { BODY_CODES, operation } from '../operation.ts';
import type { OperatorAction } from '../ports.ts';
import type { ProblemCode } from '../problem.ts';
import { deliveriesQuery, deliveryParams, endpointParams, noQuery } from '../schemas/queries.ts';
import { createEndpointBody, OVERLAP_SECONDS, rotateSecretBody } from '../schemas/requests.ts';

const tags = ['webhooks'];
const of = { tags, params: endpointParams, querystring: noQuery };
const CHANGE_CODES: readonly ProblemCode[] = ['not_found', 'outcome_unknown'];

const create = operation(
  'operations',
  [...BODY_CODES, 'webhook_url_refused', 'too_many_webhook_endpoints', 'outcome_unknown'],
  {
    tags,
    summary: 'Have events posted to a URL',
    description:
      'What happens from now on. Each delivery is signed, `Kvitt-Signature: t=<unix seconds>,v1=<hex>`, with the secret that is answered here and never again. It is repeated until it is answered with 2xx, for a day.',
    querystring: noQuery,
    body: createEndpointBody,
    response: { 201: endpointWithSecret },
  },
);

const list = operation('operations', [], {
  tags,
  summary: 'List webhook endpoints, oldest first',
  querystring: noQuery,
  response: { 200: listOf(endpointResource) },
});

const get = operation('operations', ['not_found'], {
  ...of,
  summary: 'Get a webhook endpoint',
  response: { 200: endpointResource },
});

const remove = operation('operations', CHANGE_CODES, {
  ...of,
  summary: 'Remove a webhook endpoint, and what was still to be delivered to it',
  response: { 200: removedEndpoint },
});

const rotate = operation('operations', [...BODY_CODES, ...CHANGE_CODES], {
  ...of,
  summary: 'Replace the secret that deliveries are signed with',
  description: 'Until the overlap is over they are signed with the secrets of before as well.',
  body: rotateSecretBody.optional(),
  response: { 200: endpointWithSecret },
});

const enable = operation('operations', CHANGE_CODES, {
  ...of,
  summary: 'Deliver to a disabled endpoint again',
  description: 'What waited is delivered. What happened while it was disabled is not: `GET /v1/events` has it.',
  response: { 200: endpointResource },
});

const disable = operation('operations', CHANGE_CODES, {
  ...of,
  summary: 'Deliver nothing to an endpoint until it is enabled again',
  response: { 200: endpointResource },
});

const deliveries = operation('operations', ['not_found', 'invalid_cursor'], {
  ...of,
  summary: 'List what was and is to be delivered to an endpoint, newest event first',
  description: 'Kept for 30 days.',
  querystring: deliveriesQuery,
  response: { 200: listOf(deliveryResource) },
});

const redeliver = operation('operations', CHANGE_CODES, {
  ...of,
  params: deliveryParams,
  summary: 'Deliver an event again, or for the first time',
  response: { 200: deliveryResource },
});

export function webhookRoutes(webhooks: Webhooks): FastifyPluginAsyncZod {
  return async (app) => {
    app.post('/v1/webhook_endpoints', audited(create, 'webhook_endpoint_created'), async (request, reply) => {
      const endpoint = await webhooks.create(request.body);
      reply.code(201).header('location', `/v1/webhook_endpoints/${endpoint.id}`);
      return presentWithSecret(endpoint);
    });
    app.get('/v1/webhook_endpoints', list, async () => {
      const page = { data: await webhooks.list(), hasMore: false };
      return presentList(page, presentEndpoint, '/v1/webhook_endpoints');
    });
    app.get('/v1/webhook_endpoints/:id', get, async ({ params }) => presentEndpoint(await webhooks.get(params.id)));
    app.delete('/v1/webhook_endpoints/:id', audited(remove, 'webhook_endpoint_removed'), async ({ params: { id } }) => {
      await webhooks.remove(id);
      return { object: 'webhook_endpoint' as const, id, deleted: true as const };
    });
    const rotated = audited(rotate, 'webhook_secret_rotated');
    app.post('/v1/webhook_endpoints/:id/rotate_secret', rotated, async ({ params, body }) => {
      return presentWithSecret(await webhooks.rotate(params.id, body?.overlap_seconds ?? OVERLAP_SECONDS));
    });
    app.post('/v1/webhook_endpoints/:id/enable', audited(enable, 'webhook_endpoint_enabled'), async ({ params }) => {
      return presentEndpoint(await webhooks.enable(params.id));
    });
    app.post('/v1/webhook_endpoints/:id/disable', audited(disable, 'webhook_endpoint_disabled'), async ({ params }) => {
      return presentEndpoint(await webhooks.disable(params.id));
    });
    app.get('/v1/webhook_endpoints/:id/deliveries', deliveries, async ({ params: { id }, query }) => {
      const { limit, starting_after: startingAfter, status } = query;
      const page = await webhooks.deliveries(id, { limit, startingAfter, status });
      return presentList(page, presentDelivery, `/v1/webhook_endpoints/${id}/deliveries`);
    });
    const again = audited(redeliver, 'webhook_redelivered');
    app.post('/v1/webhook_endpoints/:id/deliveries/:event/redeliver', again, async ({ params }) => {
      return presentDelivery(await webhooks.redeliver(params.id, params.event));
    });
  };
}

function audited<Route extends { config: object }>(route: Route, action: OperatorAction) {
  return { ...route, config: { ...route.config, audited: action } };
}

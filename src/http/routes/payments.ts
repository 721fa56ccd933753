import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import type { Payments } from '../../payments/types.ts';
import { rejectionProblem } from '../faults.ts';
import { callerOf, idempotencyHeaders } from '../idempotency.ts';
import { MONEY_CODES, operation } from '../operation.ts';
import { presentList, presentPayment } from '../present.ts';
import { noQuery, paymentParams, paymentsQuery, toPage, toPaymentFilter } from '../schemas/queries.ts';
import { createPaymentBody } from '../schemas/requests.ts';
import { listOf, paymentResource } from '../schemas/resources.ts';

const tags = ['payments'];

const create = operation('payments:write', MONEY_CODES, {
  tags,
  summary: 'Pay from one account to another',
  description: '422 with the reason as its code when the ledger decides against it; the payment is kept as rejected.',
  headers: idempotencyHeaders,
  querystring: noQuery,
  body: createPaymentBody,
  response: { 201: paymentResource },
});

const list = operation('payments:read', ['invalid_cursor'], {
  tags,
  summary: 'List payments, newest first',
  querystring: paymentsQuery,
  response: { 200: listOf(paymentResource) },
});

const get = operation('payments:read', ['not_found'], {
  tags,
  summary: 'Get a payment',
  params: paymentParams,
  querystring: noQuery,
  response: { 200: paymentResource },
});

export function paymentRoutes(payments: Payments): FastifyPluginAsyncZod {
  return async (app) => {
    app.post('/v1/payments', create, async (request, reply) => {
      const { value, replayed } = await payments.createPayment(request.body, callerOf(request));
      if (value.status === 'rejected') throw rejectionProblem(value, replayed);
      if (replayed) reply.header('idempotent-replayed', 'true');
      reply.code(201).header('location', `/v1/payments/${value.id}`);
      return presentPayment(value);
    });
    app.get('/v1/payments', list, async (request) => {
      const page = await payments.listPayments(toPaymentFilter(request.query), toPage(request.query));
      return presentList(page, presentPayment, '/v1/payments');
    });
    app.get('/v1/payments/:id', get, async (request) => presentPayment(await payments.getPayment(request.params.id)));
  };
}

import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import type { z } from 'zod';
import type { Answer, Followed, Payments } from '../../payments/types.ts';
import { presentList, presentPayment, presentTransaction } from '../../resources/present.ts';
import { bulkResults, listOf, paymentResource, transactionResource } from '../../resources/schemas.ts';
import { payLines, payOne } from '../bulk.ts';
import { isDryRun } from '../dry-runs.ts';
import { followedProblem, rejectionProblem } from '../faults.ts';
import { callerOf, idempotencyHeaders } from '../idempotency.ts';
import { BODY_CODES, CAPTURE_CODES, MONEY_CODES, operation } from '../operation.ts';
import {
  decidedQuery,
  noQuery,
  pageQuery,
  paymentParams,
  paymentsQuery,
  toPage,
  toPaymentFilter,
} from '../schemas/queries.ts';
import {
  bulkBody,
  bulkLines,
  bulkResultLines,
  captureBody,
  createPaymentBody,
  followBody,
  NDJSON,
  refundBody,
} from '../schemas/requests.ts';

const tags = ['payments'];

const BULK_BYTES_MAX = 4 << 20;

const create = operation('payments:write', MONEY_CODES, {
  tags,
  summary: 'Pay from one account to another',
  description: '422 with the reason as its code when the ledger decides against it; the payment is kept as rejected.',
  headers: idempotencyHeaders,
  querystring: decidedQuery,
  body: createPaymentBody,
  response: { 200: paymentResource, 201: paymentResource },
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

const transactions = operation('payments:read', ['not_found', 'invalid_cursor'], {
  tags,
  summary: 'List the transactions of a payment, oldest first',
  description:
    'Its own, and those that captured, released or refunded it. What was rejected did nothing, and is not here.',
  params: paymentParams,
  querystring: pageQuery,
  response: { 200: listOf(transactionResource) },
});

const follow = {
  tags,
  params: paymentParams,
  headers: idempotencyHeaders,
  querystring: decidedQuery,
  response: { 200: paymentResource },
};

const capture = operation('payments:write', [...MONEY_CODES, ...CAPTURE_CODES], {
  ...follow,
  summary: 'Capture what a payment holds, or a part of it',
  description: 'Any number of captures up to the amount; final releases what is left. 422 when it holds less.',
  body: captureBody.nullish(),
});

const cancel = operation('payments:write', [...MONEY_CODES, ...CAPTURE_CODES], {
  ...follow,
  summary: 'Release what a payment holds',
  description: 'What was captured stays captured. 422 when nothing is held.',
  body: followBody.nullish(),
});

const refund = operation('payments:write', [...MONEY_CODES, 'not_found', 'refund_exceeds_captured'], {
  ...follow,
  summary: 'Pay back what a payment has paid, or a part of it',
  description: 'Any number of refunds, never more than was captured. From several destinations in proportion.',
  body: refundBody.nullish(),
});

const bulk = operation('payments:write', BODY_CODES, {
  tags,
  summary: 'Make up to 1,000 payments, each with a key and a result of its own',
  description:
    'One that is wrong or rejected does not disturb the others. As application/x-ndjson: a payment a line, any number of them, and a result a line in the same order, while they come.',
  querystring: decidedQuery,
  body: bulkBody,
  otherBodies: { [NDJSON]: bulkLines },
  response: {
    200: {
      description: 'What became of each.',
      content: { 'application/json': { schema: bulkResults }, [NDJSON]: { schema: bulkResultLines } },
    },
  },
});

export function paymentRoutes(payments: Payments): FastifyPluginAsyncZod {
  return async (app) => {
    app.post('/v1/payments', create, async (request, reply) => {
      const { value, replayed } = await payments.createPayment(request.body, callerOf(request));
      if (value.status === 'rejected') throw rejectionProblem(value, replayed);
      if (replayed) reply.header('idempotent-replayed', 'true');
      if (isDryRun(request)) return presentPayment(value);
      reply.code(201).header('location', `/v1/payments/${value.id}`);
      return presentPayment(value);
    });
    const answer = ({ value, replayed }: Answer<Followed>, reply: FastifyReply) => {
      if (value.rejectionReason !== null) throw followedProblem(value, replayed);
      if (replayed) reply.header('idempotent-replayed', 'true');
      return presentPayment(value.payment);
    };
    app.post('/v1/payments/:id/capture', capture, async (request, reply) => {
      return answer(await payments.capturePayment(request.params.id, request.body ?? {}, callerOf(request)), reply);
    });
    app.post('/v1/payments/:id/cancel', cancel, async (request, reply) => {
      return answer(await payments.cancelPayment(request.params.id, request.body ?? {}, callerOf(request)), reply);
    });
    app.post('/v1/payments/:id/refund', refund, async (request, reply) => {
      return answer(await payments.refundPayment(request.params.id, request.body ?? {}, callerOf(request)), reply);
    });
    await app.register(async (own) => {
      own.addContentTypeParser(NDJSON, (_request, payload, done) => done(null, payload));
      own.post('/v1/payments/bulk', { ...bulk, bodyLimit: BULK_BYTES_MAX }, async (request, reply) => {
        const body: unknown = request.body;
        if (body instanceof Readable) {
          return reply.type(NDJSON).send(Readable.from(payLines(payments, request, body)));
        }
        const { payments: items } = request.body as z.output<typeof bulkBody>;
        const data = await Promise.all(items.map((item, index) => payOne(payments, request, item, index)));
        return { object: 'list' as const, data };
      });
    });
    app.get('/v1/payments', list, async (request) => {
      const page = await payments.listPayments(toPaymentFilter(request.query), toPage(request.query));
      return presentList(page, presentPayment, '/v1/payments');
    });
    app.get('/v1/payments/:id/transactions', transactions, async (request) => {
      const { id } = request.params;
      const page = await payments.paymentTransactions(id, toPage(request.query));
      return presentList(page, presentTransaction, `/v1/payments/${id}/transactions`);
    });
    app.get('/v1/payments/:id', get, async (request) => presentPayment(await payments.getPayment(request.params.id)));
  };
}

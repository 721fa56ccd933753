import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import type { Payments } from '../../payments/types.ts';
import { rejectionProblem } from '../faults.ts';
import { callerOf, idempotencyHeaders } from '../idempotency.ts';
import { MONEY_CODES, operation } from '../operation.ts';
import { presentList, presentTransaction } from '../present.ts';
import { noQuery, pageQuery, toPage, transactionParams } from '../schemas/queries.ts';
import { createTransactionBody } from '../schemas/requests.ts';
import { listOf, transactionResource } from '../schemas/resources.ts';

const tags = ['transactions'];

const create = operation('payments:write', MONEY_CODES, {
  tags,
  summary: 'Post a transaction: balanced postings, all or none',
  description: '422 with the reason as its code when the ledger decides against it; it is kept as rejected.',
  headers: idempotencyHeaders,
  querystring: noQuery,
  body: createTransactionBody,
  response: { 201: transactionResource },
});

const list = operation('payments:read', ['invalid_cursor'], {
  tags,
  summary: 'List transactions, those of payments included, newest first',
  querystring: pageQuery,
  response: { 200: listOf(transactionResource) },
});

const get = operation('payments:read', ['not_found'], {
  tags,
  summary: 'Get a transaction',
  params: transactionParams,
  querystring: noQuery,
  response: { 200: transactionResource },
});

export function transactionRoutes(payments: Payments): FastifyPluginAsyncZod {
  return async (app) => {
    app.post('/v1/transactions', create, async (request, reply) => {
      const { value, replayed } = await payments.createTransaction(request.body, callerOf(request));
      if (value.status === 'rejected') throw rejectionProblem(value, replayed);
      if (replayed) reply.header('idempotent-replayed', 'true');
      reply.code(201).header('location', `/v1/transactions/${value.id}`);
      return presentTransaction(value);
    });
    app.get('/v1/transactions', list, async (request) => {
      const page = await payments.listTransactions(toPage(request.query));
      return presentList(page, presentTransaction, '/v1/transactions');
    });
    app.get('/v1/transactions/:id', get, async (request) => {
      return presentTransaction(await payments.getTransaction(request.params.id));
    });
  };
}

import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import type { Answer, Payments, TransactionView } from '../../payments/types.ts';
import { presentList, presentTransaction } from '../../resources/present.ts';
import { listOf, transactionResource } from '../../resources/schemas.ts';
import { isDryRun } from '../dry-runs.ts';
import { rejectionProblem } from '../faults.ts';
import { callerOf, idempotencyHeaders } from '../idempotency.ts';
import { MONEY_CODES, operation } from '../operation.ts';
import {
  decidedQuery,
  noQuery,
  toPage,
  toTransactionFilter,
  transactionParams,
  transactionsQuery,
} from '../schemas/queries.ts';
import { createTransactionBody, followBody } from '../schemas/requests.ts';

const tags = ['transactions'];

const create = operation('payments:write', MONEY_CODES, {
  tags,
  summary: 'Post a transaction: balanced postings, all or none',
  description: '422 with the reason as its code when the ledger decides against it; it is kept as rejected.',
  headers: idempotencyHeaders,
  querystring: decidedQuery,
  body: createTransactionBody,
  response: { 200: transactionResource, 201: transactionResource },
});

const list = operation('payments:read', ['invalid_cursor'], {
  tags,
  summary: 'List transactions, those of payments included, newest first',
  querystring: transactionsQuery,
  response: { 200: listOf(transactionResource) },
});

const get = operation('payments:read', ['not_found'], {
  tags,
  summary: 'Get a transaction',
  params: transactionParams,
  querystring: noQuery,
  response: { 200: transactionResource },
});

const reverse = operation(
  'payments:write',
  [...MONEY_CODES, 'not_found', 'already_reversed', 'not_reversible', 'transaction_pending'],
  {
    tags,
    summary: 'Take a transaction back, as a whole, by one that moves the opposite',
    description: 'Once. What a payment has paid is refunded instead.',
    params: transactionParams,
    headers: idempotencyHeaders,
    querystring: decidedQuery,
    body: followBody.nullish(),
    response: { 200: transactionResource, 201: transactionResource },
  },
);

export function transactionRoutes(payments: Payments): FastifyPluginAsyncZod {
  return async (app) => {
    const answer = ({ value, replayed }: Answer<TransactionView>, request: FastifyRequest, reply: FastifyReply) => {
      if (value.status === 'rejected') throw rejectionProblem(value, replayed);
      if (replayed) reply.header('idempotent-replayed', 'true');
      if (isDryRun(request)) return presentTransaction(value);
      reply.code(201).header('location', `/v1/transactions/${value.id}`);
      return presentTransaction(value);
    };
    app.post('/v1/transactions', create, async (request, reply) => {
      return answer(await payments.createTransaction(request.body, callerOf(request)), request, reply);
    });
    app.post('/v1/transactions/:id/reverse', reverse, async (request, reply) => {
      return answer(
        await payments.reverseTransaction(request.params.id, request.body ?? {}, callerOf(request)),
        request,
        reply,
      );
    });
    app.get('/v1/transactions', list, async (request) => {
      const page = await payments.listTransactions(toPage(request.query), toTransactionFilter(request.query));
      return presentList(page, presentTransaction, '/v1/transactions');
    });
    app.get('/v1/transactions/:id', get, async (request) => {
      return presentTransaction(await payments.getTransaction(request.params.id));
    });
  };
}

import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import type { Payments } from '../../payments/types.ts';
import { BODY_CODES, operation } from '../operation.ts';
import { presentAccount, presentBalance, presentEntry, presentList } from '../present.ts';
import { accountParams, balanceQuery, noQuery, pageQuery, toPage } from '../schemas/queries.ts';
import { createAccountBody, toCreateAccount } from '../schemas/requests.ts';
import { accountResource, balanceResource, entryResource, listOf } from '../schemas/resources.ts';

const tags = ['accounts'];

const create = operation('accounts:write', [...BODY_CODES, 'account_exists', 'overloaded', 'outcome_unknown'], {
  tags,
  summary: 'Create an account',
  description: 'Idempotent by its id: 201 at first, 200 for the same again, 409 when it exists and differs.',
  querystring: noQuery,
  body: createAccountBody,
  response: { 200: accountResource, 201: accountResource },
});

const list = operation('accounts:read', ['invalid_cursor'], {
  tags,
  summary: 'List accounts, newest first',
  querystring: pageQuery,
  response: { 200: listOf(accountResource) },
});

const get = operation('accounts:read', ['not_found'], {
  tags,
  summary: 'Get an account',
  params: accountParams,
  querystring: noQuery,
  response: { 200: accountResource },
});

const balance = operation('accounts:read', ['not_found'], {
  tags,
  summary: 'Get the balance of an account, now or at a time',
  params: accountParams,
  querystring: balanceQuery,
  response: { 200: balanceResource },
});

const entries = operation('accounts:read', ['not_found', 'invalid_cursor'], {
  tags,
  summary: 'Get the statement of an account, newest first, with running balances',
  params: accountParams,
  querystring: pageQuery,
  response: { 200: listOf(entryResource) },
});

export function accountRoutes(payments: Payments): FastifyPluginAsyncZod {
  return async (app) => {
    app.post('/v1/accounts', create, async (request, reply) => {
      const { account, created } = await payments.createAccount(toCreateAccount(request.body));
      if (created) reply.code(201).header('location', `/v1/accounts/${account.id}`);
      return presentAccount(account);
    });
    app.get('/v1/accounts', list, async (request) => {
      return presentList(await payments.listAccounts(toPage(request.query)), presentAccount, '/v1/accounts');
    });
    app.get('/v1/accounts/:id', get, async (request) => presentAccount(await payments.getAccount(request.params.id)));
    app.get('/v1/accounts/:id/balance', balance, async (request) => {
      return presentBalance(await payments.balance(request.params.id, request.query.at));
    });
    app.get('/v1/accounts/:id/entries', entries, async (request) => {
      const { id } = request.params;
      const page = await payments.statement(id, toPage(request.query));
      return presentList(page, presentEntry, `/v1/accounts/${id}/entries`);
    });
  };
}

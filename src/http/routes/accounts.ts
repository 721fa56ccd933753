import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import type { ChangeAccount, Payments } from '../../payments/types.ts';
import { presentAccount, presentBalance, presentEntry, presentList } from '../../resources/present.ts';
import { accountResource, balanceResource, entryResource, listOf } from '../../resources/schemas.ts';
import { ifMatchHeaders, ifMatchOf, tagOf } from '../etags.ts';
import { changedProblem } from '../faults.ts';
import { idempotencyHeaders, optionalCallerOf } from '../idempotency.ts';
import { BODY_CODES, CONDITION_CODES, operation } from '../operation.ts';
import { patchedMetadata } from '../patch.ts';
import {
  accountParams,
  accountsQuery,
  balanceQuery,
  decidedQuery,
  entriesQuery,
  noQuery,
  toPage,
  toStatementFilter,
} from '../schemas/queries.ts';
import { changeLimitsBody, createAccountBody, patchAccountBody, toCreateAccount } from '../schemas/requests.ts';

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
  summary: 'List accounts, newest first, or those whose ids begin with a prefix in the order of their ids',
  querystring: accountsQuery,
  response: { 200: listOf(accountResource) },
});

const get = operation('accounts:read', ['not_found'], {
  tags,
  summary: 'Get an account',
  params: accountParams,
  querystring: noQuery,
  response: { 200: accountResource },
});

const patch = operation(
  'accounts:write',
  [...BODY_CODES, ...CONDITION_CODES, 'not_found', 'overloaded', 'outcome_unknown'],
  {
    tags,
    summary: 'Change the metadata of an account',
    description:
      'A merge patch (RFC 7396), on condition: `If-Match` names the ETag of the account as it was read, or is `*`. ' +
      '412 when somebody else changed it since. After `outcome_unknown`, get it again to see what became of it.',
    headers: ifMatchHeaders,
    params: accountParams,
    querystring: noQuery,
    body: patchAccountBody,
    response: { 200: accountResource },
  },
);

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
  querystring: entriesQuery,
  response: { 200: listOf(entryResource) },
});

const change = {
  tags,
  params: accountParams,
  headers: idempotencyHeaders.partial(),
  querystring: decidedQuery,
  response: { 200: accountResource },
};
const CHANGE_CODES = [
  'not_found',
  'account_closed',
  'overloaded',
  'outcome_unknown',
  'idempotency_key_reused',
] as const;
const KEY = 'Ordered with everything else that happens to the account. An Idempotency-Key is optional.';

const freeze = operation('accounts:write', CHANGE_CODES, {
  ...change,
  summary: 'Freeze an account: nothing is taken from it or held on it',
  description: `What comes in still arrives, and what is held can be released. ${KEY}`,
});

const unfreeze = operation('accounts:write', CHANGE_CODES, {
  ...change,
  summary: 'Open a frozen account again',
  description: KEY,
});

const close = operation('accounts:write', [...CHANGE_CODES, 'account_not_empty'], {
  ...change,
  summary: 'Close an account, for ever',
  description: `Only when it holds nothing and nothing is held on it. ${KEY}`,
});

const setLimits = operation('accounts:write', [...CHANGE_CODES, ...BODY_CODES, 'balance_limit_exceeded'], {
  ...change,
  summary: 'Set the limits of the balance of an account',
  description: `422 when the balance is beyond them already. ${KEY}`,
  body: changeLimitsBody,
});

export function accountRoutes(payments: Payments): FastifyPluginAsyncZod {
  return async (app) => {
    app.post('/v1/accounts', create, async (request, reply) => {
      const { account, created } = await payments.createAccount(toCreateAccount(request.body));
      if (created) reply.code(201).header('location', `/v1/accounts/${account.id}`);
      return presentAccount(account);
    });
    app.get('/v1/accounts', list, async (request) => {
      const page = await payments.listAccounts(toPage(request.query), request.query.prefix);
      return presentList(page, presentAccount, '/v1/accounts');
    });
    app.get('/v1/accounts/:id', get, async (request) => presentAccount(await payments.getAccount(request.params.id)));
    const changed = async (request: FastifyRequest, reply: FastifyReply, id: string, to: ChangeAccount) => {
      const { value, replayed } = await payments.changeAccount(id, to, optionalCallerOf(request));
      if (value.rejectionReason !== null) throw changedProblem(value, replayed);
      if (replayed) reply.header('idempotent-replayed', 'true');
      return presentAccount(value.account);
    };
    app.post('/v1/accounts/:id/freeze', freeze, (request, reply) => {
      return changed(request, reply, request.params.id, { status: 'frozen' });
    });
    app.post('/v1/accounts/:id/unfreeze', unfreeze, (request, reply) => {
      return changed(request, reply, request.params.id, { status: 'open' });
    });
    app.post('/v1/accounts/:id/close', close, (request, reply) => {
      return changed(request, reply, request.params.id, { status: 'closed' });
    });
    app.put('/v1/accounts/:id/limits', setLimits, (request, reply) => {
      return changed(request, reply, request.params.id, request.body);
    });
    app.patch('/v1/accounts/:id', patch, async (request, reply) => {
      const check = ifMatchOf(request);
      const account = await payments.updateAccount(request.params.id, (before) => {
        check(presentAccount(before));
        return { metadata: patchedMetadata(before.metadata, request.body) };
      });
      const answer = presentAccount(account);
      reply.header('etag', tagOf(JSON.stringify(answer)));
      return answer;
    });
    app.get('/v1/accounts/:id/balance', balance, async (request) => {
      return presentBalance(await payments.balance(request.params.id, request.query.at));
    });
    app.get('/v1/accounts/:id/entries', entries, async (request) => {
      const { id } = request.params;
      const page = await payments.statement(id, toPage(request.query), toStatementFilter(request.query));
      return presentList(page, presentEntry, `/v1/accounts/${id}/entries`);
    });
  };
}

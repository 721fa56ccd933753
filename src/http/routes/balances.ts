import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import type { Payments } from '../../payments/types.ts';
import { presentBalanceSums, presentBalances } from '../../resources/present.ts';
import { balanceSumsResource, balancesResource } from '../../resources/schemas.ts';
import { BODY_CODES, operation } from '../operation.ts';
import { noQuery, sumsQuery } from '../schemas/queries.ts';
import { balancesBody } from '../schemas/requests.ts';

const tags = ['accounts'];

const query = operation('accounts:read', BODY_CODES, {
  tags,
  summary: 'Get the balances of up to 1,000 accounts, now or at a time',
  description:
    'All of one moment, in the order asked for; ids of which there is no account are listed apart. It only reads, and ' +
    'is a POST because so many ids do not fit a URL: they may take 128 kB, and servers and proxies take 8 kB or so.',
  querystring: noQuery,
  body: balancesBody,
  response: { 200: balancesResource },
});

const sums = operation('accounts:read', ['too_many_accounts'], {
  tags,
  summary: 'Sum the balances of all accounts whose ids begin with a prefix, in each currency',
  description: 'All of one moment: money that moves among these accounts is counted once. Up to 10,000 accounts.',
  querystring: sumsQuery,
  response: { 200: balanceSumsResource },
});

export function balanceRoutes(payments: Payments): FastifyPluginAsyncZod {
  return async (app) => {
    const config = { ...query.config, reads: true };
    app.post('/v1/balances/query', { ...query, config }, async (request) => {
      return presentBalances(await payments.balances(request.body.accounts, request.body.at));
    });
    app.get('/v1/balances/sum', sums, async (request) => {
      const { prefix, group_by_level: level } = request.query;
      return presentBalanceSums(await payments.balanceSums(prefix, level));
    });
  };
}

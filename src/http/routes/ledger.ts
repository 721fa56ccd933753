import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import type { Payments } from '../../payments/types.ts';
import { operation } from '../operation.ts';
import { presentList, presentTrialBalance } from '../present.ts';
import { noQuery } from '../schemas/queries.ts';
import { listOf, trialBalanceRow } from '../schemas/resources.ts';

const trialBalance = operation('accounts:read', [], {
  tags: ['ledger'],
  summary: 'Get the trial balance: all balances summed in each currency, which is zero',
  querystring: noQuery,
  response: { 200: listOf(trialBalanceRow) },
});

export function ledgerRoutes(payments: Payments): FastifyPluginAsyncZod {
  return async (app) => {
    app.get('/v1/trial_balance', trialBalance, async () => {
      const data = await payments.trialBalance();
      return presentList({ data, hasMore: false }, presentTrialBalance, '/v1/trial_balance');
    });
  };
}

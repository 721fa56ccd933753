import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import type { Payments } from '../../payments/types.ts';
import { presentBook, presentList, presentTrialBalance } from '../../resources/present.ts';
import { bookResource, listOf, trialBalanceRow } from '../../resources/schemas.ts';
import { operation } from '../operation.ts';
import { noQuery } from '../schemas/queries.ts';

const trialBalance = operation('accounts:read', [], {
  tags: ['ledger'],
  summary: 'Get the trial balance: all balances summed in each currency, which is zero',
  querystring: noQuery,
  response: { 200: listOf(trialBalanceRow) },
});

const books = operation('accounts:read', [], {
  tags: ['ledger'],
  summary: 'List the books: how far each goes, and who leads it',
  querystring: noQuery,
  response: { 200: listOf(bookResource) },
});

/** Where the instance is reached that leads a book; null: nobody is known. */
export type LeaderOf = (book: number) => string | null;

export function ledgerRoutes(payments: Payments, leaderOf: LeaderOf): FastifyPluginAsyncZod {
  return async (app) => {
    app.get('/v1/books', books, async () => {
      const page = { data: await payments.books(), hasMore: false };
      return presentList(page, (book) => presentBook(book, leaderOf(book.book)), '/v1/books');
    });
    app.get('/v1/trial_balance', trialBalance, async () => {
      const data = await payments.trialBalance();
      return presentList({ data, hasMore: false }, presentTrialBalance, '/v1/trial_balance');
    });
  };
}

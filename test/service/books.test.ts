import { beforeAll, describe, expect, it } from 'vitest';
import { createAccountsInBook, type Payment, type Problem, type Transaction } from './support/api.ts';
import { useService } from './support/service.ts';

const BOOKS = [0, 1, 2];
const service = useService({ BOOKS: String(BOOKS.length) });
/** Of each book: an account that may go below zero, and two that may not. */
const banks: string[] = [];
const wallets: [string, string][] = [];

beforeAll(async () => {
  for (const book of BOOKS) {
    const [bank] = await createAccountsInBook(service.api, book, `bank${book}`, 1, { min_balance: null });
    const [one, other] = await createAccountsInBook(service.api, book, `wallet${book}`, 2);
    banks.push(bank!);
    wallets.push([one!, other!]);
  }
});

const posted = (account: string) => service.api.posted(account);

describe('with three books', () => {
  it('money moves within each of them, in blocks of its own', async () => {
    const paid = await Promise.all(
      BOOKS.flatMap((book) => Array.from({ length: 5 }, () => service.api.pay(banks[book]!, wallets[book]![0], 20))),
    );
    for (const book of BOOKS) {
      expect(paid.filter((payment) => payment.book === book)).toHaveLength(5);
      expect(await posted(wallets[book]![0])).toBe('100');
      await service.api.pay(wallets[book]![0], wallets[book]![1], 40);
      const legs = [
        { account: banks[book], amount: -3, currency: 'EUR' },
        { account: wallets[book]![0], amount: 1, currency: 'EUR' },
        { account: wallets[book]![1], amount: 2, currency: 'EUR' },
      ];
      const { status, body } = await service.api.post<Transaction>('/v1/transactions', { postings: legs });
      expect([status, body.book]).toEqual([201, book]);
      expect([await posted(wallets[book]![0]), await posted(wallets[book]![1])]).toEqual(['61', '42']);
    }
  });

  it('a payment between two of them is posted, and each book and the whole stay balanced', async () => {
    const before = await Promise.all([0, 1, 2].map((book) => posted(wallets[book]![0])));
    for (const [from, to] of [
      [0, 1],
      [1, 2],
      [2, 0],
    ] as const) {
      const body = { source: banks[from], destination: wallets[to]![0], amount: 7, currency: 'EUR' };
      const answer = await service.api.post<Payment>('/v1/payments', body, `across-${from}`);
      expect(answer).toMatchObject({ status: 201, body: { status: 'posted', amount: '7', book: from } });
      const again = await service.api.post<Payment>('/v1/payments', body, `across-${from}`);
      expect(again.body).toEqual(answer.body);
      const { body: read } = await service.api.get<Payment>(`/v1/payments/${answer.body.id}`);
      expect(read).toEqual(answer.body);
    }
    const after = await Promise.all([0, 1, 2].map((book) => posted(wallets[book]![0])));
    expect(after).toEqual(before.map((balance) => String(BigInt(balance) + 7n)));
    const refused = { source: wallets[0]![0], destination: wallets[1]![0], amount: 1_000_000, currency: 'EUR' };
    const answer = await service.api.post<Problem>('/v1/payments', refused);
    expect(answer).toMatchObject({ status: 422, body: { code: 'insufficient_funds' } });
  });

  it('a transaction over all of them takes from several and gives to several, or does nothing', async () => {
    const leg = (account: string, amount: number) => ({ account, amount, currency: 'EUR' });
    const postings = [leg(banks[0]!, -5), leg(banks[1]!, -4), leg(wallets[0]![1]!, 3), leg(wallets[2]![1]!, 6)];
    const answer = await service.api.post<Transaction>('/v1/transactions', { postings });
    expect(answer.status).toBe(201);
    expect(answer.body.postings.map(({ account, amount }) => [account, amount])).toEqual(
      postings.map(({ account, amount }) => [account, String(amount)]),
    );
    const { body: read } = await service.api.get<Transaction>(`/v1/transactions/${answer.body.id}`);
    expect(read).toEqual(answer.body);
    const before = await posted(banks[0]!);
    const impossible = [leg(banks[0]!, -5), leg(wallets[1]![0]!, -1_000_000), leg(wallets[2]![1]!, 1_000_005)];
    const refused = await service.api.post<Problem>('/v1/transactions', { postings: impossible });
    expect(refused).toMatchObject({ status: 422, body: { code: 'insufficient_funds' } });
    expect(await posted(banks[0]!)).toBe(before);
    const { body: listed } = await service.api.get<{ data: Transaction[] }>('/v1/transactions?limit=2');
    expect(listed.data[1]).toEqual(read);
    expect(listed.data[0]).toMatchObject({ status: 'rejected' });
    const { body: trial } = await service.api.get<{ data: { sum: string }[] }>('/v1/trial_balance');
    expect(trial.data.map(({ sum }) => sum)).toEqual(['0']);
  });
});

import { expect, it } from 'vitest';
import { runKvitt } from '../../src/demo/service-process.ts';
import { type Account, createAccountsInBook, type Payment, type TrialBalanceRow } from './support/api.ts';
import { useService } from './support/service.ts';

const service = useService({ BOOKS: '1' });

const posted = (account: string) => service.api.posted(account);

it('books added to a living ledger take new accounts, move nobody, and pay to and from the old ones', async () => {
  const old = Array.from({ length: 12 }, (_, i) => `old-${i}`);
  await service.api.createAccounts({ id: 'world', currency: 'EUR', min_balance: null }, ...old);
  for (const account of old) await service.api.pay('world', account, 100);
  const body = { source: 'world', destination: 'old-0', amount: 11, currency: 'EUR' };
  const before = await service.api.post<Payment>('/v1/payments', body, 'before-the-books');
  expect(before.status).toBe(201);

  await service.restart({ BOOKS: '4' });

  for (const account of old) {
    expect((await service.api.read<Account>(`/v1/accounts/${account}`)).book).toBe(0);
    expect(await posted(account)).toBe(account === 'old-0' ? '111' : '100');
  }
  const again = await service.api.post<Payment>('/v1/payments', body, 'before-the-books');
  expect(again).toMatchObject({ status: 201, body: before.body });
  expect(again.headers.get('idempotent-replayed')).toBe('true');

  for (const book of [1, 2, 3]) {
    const [added] = await createAccountsInBook(service.api, book, `added${book}`, 1);
    expect((await service.api.pay(`old-${book}`, added!, 40)).book).toBe(0);
    expect((await service.api.pay(added!, `old-${book}`, 15)).book).toBe(book);
    expect([await posted(`old-${book}`), await posted(added!)]).toEqual(['75', '25']);
  }
  const trial = await service.api.read<{ data: TrialBalanceRow[] }>('/v1/trial_balance');
  expect(trial.data.map(({ currency, sum }) => [currency, sum])).toEqual([['EUR', '0']]);
  await service.stop();
  expect((await runKvitt(['verify'], service.environment)).code).toBe(0);
});

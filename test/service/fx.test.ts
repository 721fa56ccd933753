import { beforeAll, describe, expect, it } from 'vitest';
import { runKvitt } from '../../src/demo/service-process.ts';
import type { Problem, Transaction, TrialBalanceRow } from './support/api.ts';
import { useService } from './support/service.ts';

const service = useService({ BOOKS: '4' });

const posted = (account: string) => service.api.posted(account);
const leg = (account: string, amount: number, currency: string) => ({ account, amount, currency });
/** Euros for yen at 160, which the exchange's two accounts take and give. */
const exchange = (euroCents: number, yen: number) => [
  leg('alice:EUR', -euroCents, 'EUR'),
  leg('exchange:EUR', euroCents, 'EUR'),
  leg('exchange:JPY', -yen, 'JPY'),
  leg('alice:JPY', yen, 'JPY'),
];

beforeAll(async () => {
  for (const currency of ['EUR', 'JPY']) {
    for (const open of ['world', 'exchange'])
      await service.api.createAccounts({ id: `${open}:${currency}`, currency, min_balance: null });
    await service.api.createAccounts({ id: `alice:${currency}`, currency });
  }
  await service.api.pay('world:EUR', 'alice:EUR', 10_000);
});

describe('an exchange of two currencies', () => {
  it('is one transaction through exchange accounts, each currency balanced by itself', async () => {
    const answer = await service.api.post<Transaction>('/v1/transactions', { postings: exchange(2500, 4000) });
    expect(answer).toMatchObject({ status: 201, body: { status: 'posted' } });
    const balances = await Promise.all(['alice:EUR', 'exchange:EUR', 'exchange:JPY', 'alice:JPY'].map(posted));
    expect(balances).toEqual(['7500', '2500', '-4000', '4000']);
  });

  it('moves neither currency when the payer does not have the first', async () => {
    const before = await Promise.all(['alice:EUR', 'exchange:EUR', 'exchange:JPY', 'alice:JPY'].map(posted));
    const refused = await service.api.post<Problem>('/v1/transactions', { postings: exchange(1_000_000, 1_600_000) });
    expect(refused).toMatchObject({ status: 422, body: { code: 'insufficient_funds' } });
    const after = await Promise.all(['alice:EUR', 'exchange:EUR', 'exchange:JPY', 'alice:JPY'].map(posted));
    expect(after).toEqual(before);
  });

  it('is refused when a currency is not balanced by itself, though the numbers cancel out', async () => {
    const postings = [leg('alice:EUR', -100, 'EUR'), leg('alice:JPY', 100, 'JPY')];
    const refused = await service.api.post<Problem>('/v1/transactions', { postings });
    expect(refused).toMatchObject({ status: 400, body: { code: 'validation_failed' } });
    expect(refused.text).toContain('must sum to 0 in EUR, not to -100');
    expect(refused.text).toContain('must sum to 0 in JPY, not to 100');
  });

  it('leaves a trial balance of zero in both, and books that verify', async () => {
    const trial = await service.api.read<{ data: TrialBalanceRow[] }>('/v1/trial_balance');
    expect(trial.data.map(({ currency, sum }) => [currency, sum])).toEqual([
      ['EUR', '0'],
      ['JPY', '0'],
    ]);
    expect((await runKvitt(['verify'], service.environment)).code).toBe(0);
  });
});

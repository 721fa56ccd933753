/** The accounts of a run: opened and filled over the API, and read after it. */
import type { Scenario } from '../../../src/loadtest/scenario.ts';
import type { Api, Payment } from '../../service/support/api.ts';

type Population = Scenario['population'];

/** In EUR. */
export async function prepare(api: Api, run: string, { wallets, funds, merchants }: Population): Promise<void> {
  await api.post('/v1/accounts', { id: 'world:EUR', currency: 'EUR' });
  await api.createAccounts(...ids(run, 'w', wallets), ...ids(run, 'm', merchants));
  for (const wallet of ids(run, 'w', wallets)) await api.pay('world:EUR', wallet, funds);
}

/** All to the merchants, whatever became of them. */
export async function paymentsOf(api: Api, run: string, { merchants }: Population): Promise<Payment[]> {
  const payments: Payment[] = [];
  for (const merchant of ids(run, 'm', merchants)) {
    payments.push(...(await api.walkOlder<Payment>(`/v1/payments?account=${merchant}`, 100)).items);
  }
  return payments;
}

/** Minor units. */
export async function heldByMerchants(api: Api, run: string, { merchants }: Population): Promise<number> {
  let sum = 0;
  for (const merchant of ids(run, 'm', merchants)) sum += Number(await api.posted(merchant));
  return sum;
}

function ids(run: string, kind: 'w' | 'm', count: number): string[] {
  return Array.from({ length: count }, (_, index) => `lt:${run}:${kind}:${index}`);
}

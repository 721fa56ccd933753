/** What must be there before the first user comes. */
import { type KvittClient, KvittError } from '../client/index.ts';
import { merchantId, outside, walletId } from './names.ts';
import type { Scenario } from './scenario.ts';

const AT_ONCE = 32;

export interface PopulationProgress {
  readonly phase: 'accounts' | 'funds';
  readonly done: number;
  readonly of: number;
}

/** Opens the accounts of a run and fills its wallets; may be done again. @throws KvittError, or why `signal` ended it. */
export async function populate(
  client: KvittClient,
  { run, scenario }: { readonly run: string; readonly scenario: Scenario },
  onProgress: (progress: PopulationProgress) => void = () => undefined,
  signal?: AbortSignal,
): Promise<void> {
  const { currency, population } = scenario;
  await openOutside(client, currency);
  const ids = [
    ...Array.from({ length: population.merchants }, (_, merchant) => merchantId(run, merchant)),
    ...Array.from({ length: population.wallets }, (_, wallet) => walletId(run, wallet)),
  ];
  let opened = 0;
  await inTurn(ids, async (id) => {
    signal?.throwIfAborted();
    await client.createAccount({ id, currency }, { idempotencyKey: `${id}:open` });
    onProgress({ phase: 'accounts', done: ++opened, of: ids.length });
  });
  await fill(client, { run, scenario }, (progress) => {
    onProgress(progress);
    signal?.throwIfAborted();
  });
}

/** Others may have opened it, with limits of their own. */
async function openOutside(client: KvittClient, currency: string): Promise<void> {
  try {
    await client.createAccount({ id: outside(currency), currency });
  } catch (error) {
    if (!(error instanceof KvittError && error.code === 'account_exists')) throw error;
  }
}

async function fill(
  client: KvittClient,
  { run, scenario }: { readonly run: string; readonly scenario: Scenario },
  onProgress: (progress: PopulationProgress) => void,
): Promise<void> {
  const { currency, population } = scenario;
  const source = outside(currency);
  function* payments() {
    for (let wallet = 0; wallet < population.wallets; wallet++) {
      const destination = walletId(run, wallet);
      yield { source, destination, amount: population.funds, currency, idempotency_key: `${destination}:funds` };
    }
  }
  let done = 0;
  for await (const { error } of client.createPayments(payments())) {
    if (error !== null) throw new Error(`a wallet could not be filled: ${error.code}, ${error.detail}`);
    onProgress({ phase: 'funds', done: ++done, of: population.wallets });
  }
}

/** Some at a time, in their order. */
export async function inTurn<T>(items: Iterable<T>, work: (item: T) => Promise<void>): Promise<void> {
  const iterator = items[Symbol.iterator]();
  let failed = false;
  const worker = async () => {
    for (let next = iterator.next(); !next.done && !failed; next = iterator.next()) {
      await work(next.value).catch((error: unknown) => {
        failed = true;
        throw error;
      });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

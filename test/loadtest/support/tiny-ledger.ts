/** A ledger in memory that a run's checker can ask as it asks the service; and the faults that a ledger may have. */
import { randomUUID } from 'node:crypto';
import { type KvittClient, KvittError } from '../../../src/client/index.ts';
import { CallLog, type MoneyCall, MoneyCalls, NO_MERCHANT } from '../../../src/loadtest/call-log.ts';
import { merchantId, outside, referenceOf, walletId } from '../../../src/loadtest/names.ts';
import type { Scenario } from '../../../src/loadtest/scenario.ts';

export const RUN = 'tiny';

interface Entry {
  readonly transaction_id: string;
  readonly amount: string;
  readonly reference: string | null;
  readonly created_at: string;
}

export class TinyLedger {
  readonly #scenario: Scenario;
  readonly #balances = new Map<string, number>();
  /** Oldest first. */
  readonly #entries = new Map<string, Entry[]>();
  readonly #rejected = new Set<string>();
  /** Of the trial balance. */
  hasTrialBalance = true;

  constructor(scenario: Scenario) {
    this.#scenario = scenario;
    const { wallets, funds, merchants } = scenario.population;
    this.#balances.set(outside(scenario.currency), 0);
    for (let merchant = 0; merchant < merchants; merchant++) this.#balances.set(merchantId(RUN, merchant), 0);
    for (let wallet = 0; wallet < wallets; wallet++) {
      this.open(wallet);
      this.post(outside(scenario.currency), walletId(RUN, wallet), funds, null);
    }
  }

  open(wallet: number): void {
    this.#balances.set(walletId(RUN, wallet), 0);
  }

  /** Answers the id of the transaction. */
  post(source: string, destination: string, amount: number, reference: string | null): string {
    const transaction = randomUUID();
    this.change(source, -amount);
    this.change(destination, amount);
    for (const [account, change] of [
      [source, -amount],
      [destination, amount],
    ] as const) {
      const entries = this.#entries.get(account) ?? [];
      const entry = {
        transaction_id: transaction,
        amount: String(change),
        reference,
        created_at: new Date().toISOString(),
      };
      this.#entries.set(account, [...entries, entry]);
    }
    return transaction;
  }

  change(account: string, amount: number): void {
    this.#balances.set(account, (this.#balances.get(account) ?? 0) + amount);
  }

  reject(reference: string): void {
    this.#rejected.add(reference);
  }

  /** Carries a call out; what it says of itself is not looked at. Answers the id of the transaction. */
  carryOut(call: Omit<MoneyCall, 'outcome' | 'transaction'>, changed: Partial<MoneyCall> = {}): string {
    const { operation, wallet, merchant, amount } = { ...call, ...changed };
    const other = merchant === NO_MERCHANT ? outside(this.#scenario.currency) : merchantId(RUN, merchant);
    const gives = operation === 'top_up' || operation === 'refund';
    const [source, destination] = gives ? [other, walletId(RUN, wallet)] : [walletId(RUN, wallet), other];
    return this.post(source, destination, amount, referenceOf(RUN, call.call));
  }

  /** What the checker needs of the client. */
  client(): KvittClient {
    const client = {
      queryBalances: async ({ accounts }: { accounts: string[] }) => ({
        data: accounts
          .filter((account) => this.#balances.has(account))
          .map((account) => ({ account, posted: String(this.#balances.get(account)) })),
      }),
      listEntries: (account: string) => (this.#entries.get(account) ?? []).toReversed(),
      listPayments: ({ reference }: { reference: string }) => ({
        page: async () => ({ data: this.#rejected.has(reference) ? [{ status: 'rejected' }] : [] }),
      }),
      trialBalance: async () => {
        if (!this.hasTrialBalance) throw new KvittError('not_found', 'there is none', 404, null);
        const sum = [...this.#balances.values()].reduce((total, posted) => total + posted, 0);
        return [{ currency: this.#scenario.currency, sum: String(sum) }];
      },
    };
    return client as unknown as KvittClient;
  }
}

export function callsOf(all: readonly MoneyCall[]): MoneyCalls {
  const [log, calls] = [new CallLog(), new MoneyCalls()];
  for (const one of all) log.add(one);
  const batch = log.take();
  if (batch !== null) calls.add(batch);
  return calls;
}

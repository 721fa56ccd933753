/** What the ledger must hold after a run, as it follows from the answers that users were given. */
import { type MoneyCall, type MoneyCalls, NO_MERCHANT } from './call-log.ts';
import type { Scenario } from './scenario.ts';

/** Balances between which an account must be; the same where nothing about it is unknown. Minor units. */
export interface Range {
  readonly low: number;
  readonly high: number;
}

/** done: it is in the balances. open: it may be. */
export type Fate = 'done' | 'open' | 'not_done';

/** By what users were told alone. What the queue has taken the ledger may still decide against. */
export function fateOf({ operation, outcome }: MoneyCall): Fate {
  if (outcome === 'unknown') return 'open';
  if (outcome !== 'ok') return 'not_done';
  return operation === 'queue_buy' ? 'open' : 'done';
}

class Balances {
  readonly #low = new Map<number, number>();
  readonly #high = new Map<number, number>();

  /** `isCertain`: it has happened; else it may have. */
  add(account: number, amount: number, isCertain: boolean): void {
    if (isCertain || amount < 0) this.#low.set(account, (this.#low.get(account) ?? 0) + amount);
    if (isCertain || amount > 0) this.#high.set(account, (this.#high.get(account) ?? 0) + amount);
  }

  range(account: number, before: number): Range {
    return { low: before + (this.#low.get(account) ?? 0), high: before + (this.#high.get(account) ?? 0) };
  }

  get accounts(): Iterable<number> {
    return new Set([...this.#low.keys(), ...this.#high.keys()]);
  }
}

export class Expected {
  readonly #population: Scenario['population'];
  readonly #wallets = new Balances();
  readonly #merchants = new Balances();

  constructor(population: Scenario['population'], calls: MoneyCalls, fate: (call: MoneyCall) => Fate = fateOf) {
    this.#population = population;
    for (const call of calls) {
      const known = fate(call);
      if (known !== 'not_done') this.#add(call, known === 'done');
    }
  }

  /** All wallets that a call was about, and those that were there before. */
  *wallets(): Generator<number> {
    for (let wallet = 0; wallet < this.#population.wallets; wallet++) yield wallet;
    for (const wallet of this.#wallets.accounts) if (wallet >= this.#population.wallets) yield wallet;
  }

  wallet(wallet: number): Range {
    return this.#wallets.range(wallet, wallet < this.#population.wallets ? this.#population.funds : 0);
  }

  merchant(merchant: number): Range {
    return this.#merchants.range(merchant, 0);
  }

  #add(call: MoneyCall, isCertain: boolean): void {
    const { wallet, merchant, amount } = call;
    const toWallet = amountToWallet(call);
    this.#wallets.add(wallet, toWallet, isCertain);
    if (merchant !== NO_MERCHANT) this.#merchants.add(merchant, -toWallet, isCertain);
    if (amount === 0) throw new Error(`call ${call.call} moves money, and none of it`);
  }
}

/** What a call gives to its wallet, or takes from it. */
export function amountToWallet({ operation, amount }: MoneyCall): number {
  return operation === 'top_up' || operation === 'refund' ? amount : -amount;
}

import { type Measured, median } from '../measure.ts';
import { machine, number } from '../report.ts';
import type { ServiceMemory } from './memory.ts';

interface Plan {
  readonly transactions: number;
  readonly accounts: number;
  readonly rounds: number;
  readonly seconds: number;
}

interface ReadTimes {
  readonly balance: readonly number[];
  readonly statement: readonly number[];
}

const MEMORY_MIB_MAX = 300;
const SHARE_WANTED = { single: 0.8, bulk: 0.6 } as const;
const LOADS = { single: '64 callers', bulk: '4 callers × 1,000' } as const;

/** Collects what is measured, and makes the table of it. */
export class GrowthReport {
  readonly #rates: Record<'single' | 'bulk', (readonly [fresh: Measured, grown: Measured])[]> = {
    single: [],
    bulk: [],
  };
  #reads: readonly [fresh: ReadTimes, grown: ReadTimes] | null = null;
  #cold: Measured | null = null;
  #memory: ServiceMemory | null = null;

  constructor(readonly plan: Plan) {}

  addRates(load: 'single' | 'bulk', fresh: Measured, grown: Measured): void {
    this.#rates[load].push([fresh, grown]);
  }

  addReads(fresh: ReadTimes, grown: ReadTimes): void {
    this.#reads = [fresh, grown];
  }

  addCold(cold: Measured): void {
    this.#cold = cold;
  }

  addMemory(memory: ServiceMemory): void {
    this.#memory = memory;
  }

  render(mongod: string): string {
    const { transactions, accounts, rounds, seconds } = this.plan;
    const few = (accounts / 2).toLocaleString('en');
    const many = (accounts / 2 + transactions).toLocaleString('en');
    return [
      `Measured on ${new Date().toISOString().slice(0, 10)}: ${machine()}, MongoDB ${mongod}. Two ledgers of`,
      `${accounts.toLocaleString('en')} accounts, all of them posted to; medians of ${rounds} rounds of ${seconds} s, both in turn in every round.`,
      '',
      `| figure | after ${few} transactions | after ${many} | share, lowest – highest | wanted |`,
      '|---|---:|---:|---:|---:|',
      this.#rateRow('single'),
      this.#rateRow('bulk'),
      this.#readRow('a balance that is not in memory', 'balance'),
      this.#readRow('the last 10 lines of an account', 'statement'),
      ...(this.#cold
        ? [`| transfers/s, 64 callers, no account in memory yet | | ${number(this.#cold.perSecond)} | | |`]
        : []),
      ...this.#memoryRow(),
    ].join('\n');
  }

  #rateRow(load: 'single' | 'bulk'): string {
    const pairs = this.#rates[load];
    const shares = pairs.map(([fresh, grown]) => grown.perSecond / fresh.perSecond);
    const share = median(shares);
    const rate = (side: 0 | 1) => number(median(pairs.map((pair) => pair[side].perSecond)));
    const range = `${number(share)}, ${number(Math.min(...shares))} – ${number(Math.max(...shares))}`;
    const wanted = SHARE_WANTED[load];
    const verdict = share >= wanted ? 'reached' : '**missed**';
    return `| transfers/s, ${LOADS[load]} | ${rate(0)} | ${rate(1)} | ${range} | ${number(wanted)} ${verdict} |`;
  }

  #readRow(what: string, read: keyof ReadTimes): string {
    const times = (side: 0 | 1) => {
      const sorted = [...this.#reads![side][read]].sort((a, b) => a - b);
      return `${number(median(sorted))} / ${number(sorted[Math.floor(sorted.length * 0.99)]!)}`;
    };
    return `| ${what}, p50 / p99 ms | ${times(0)} | ${times(1)} | | |`;
  }

  #memoryRow(): string[] {
    if (!this.#memory) return [];
    const { atFirst, after } = this.#memory;
    const verdict = after <= MEMORY_MIB_MAX ? 'reached' : '**missed**';
    const what = `memory of a service that has touched all accounts, MiB (${Math.round(atFirst)} when started)`;
    return [`| ${what} | ${Math.round(after)} | | | at most ${MEMORY_MIB_MAX} ${verdict} |`];
  }
}

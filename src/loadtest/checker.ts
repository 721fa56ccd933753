/**
 * Looks, by the API alone, whether the ledger holds what users were told: each payment that was acknowledged exactly
 * once, in the statement of the account that it is about, with its amount; none that was refused; and every balance.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type KvittClient, KvittError } from '../client/index.ts';
import { type MoneyCall, type MoneyCalls, NO_MERCHANT, tailOf } from './call-log.ts';
import { amountToWallet, Expected, type Fate, fateOf, type Range } from './expected.ts';
import { newHistogram, percentilesOf, record } from './latencies.ts';
import { callOf, merchantId, outside, referenceOf, walletId } from './names.ts';
import { inTurn } from './population.ts';
import type { LedgerCheck } from './result.ts';
import type { Scenario } from './scenario.ts';

const FAULTS_MAX = 100;
const BALANCES_AT_ONCE = 1_000;
const QUEUE_POLL_MS = 500;
const QUEUE_STILL_MS = 30_000;
/** By how much the clocks of this machine and of the service may differ. */
const CLOCKS_MS = 60_000;

export interface CheckProgress {
  readonly phase: 'waiting for the queue' | 'statements' | 'balances';
  readonly done: number;
  readonly of: number | null;
}

export interface CheckOptions {
  readonly run: string;
  readonly scenario: Scenario;
  readonly calls: MoneyCalls;
  /** Ms since the epoch. */
  readonly startedAt: number;
  readonly settled: number;
  /** How long nothing may come of what the queue has taken; {@link QUEUE_STILL_MS} unless given. */
  readonly queueStillMs?: number;
  readonly onProgress?: (progress: CheckProgress) => void;
}

interface Line {
  readonly transaction_id: string;
  readonly amount: string;
  readonly reference: string | null;
  readonly created_at: string;
}

/** @throws KvittError when it cannot be looked at. */
export async function checkLedger(client: KvittClient, options: CheckOptions): Promise<LedgerCheck> {
  return new Checker(client, options).check();
}

class Checker {
  readonly #client: KvittClient;
  readonly #options: CheckOptions;
  readonly #expected: Expected;
  /** How often each call was found, by its number. */
  readonly #found: Uint8Array;
  readonly #faults: string[] = [];
  readonly #queueMs = newHistogram();
  /** That the ledger decided against, of those that the queue took; what they would have moved is not missing. */
  readonly #rejected = new Set<number>();
  #faultsCount = 0;
  #entries = 0;
  #accounts = 0;

  constructor(client: KvittClient, options: CheckOptions) {
    this.#client = client;
    this.#options = options;
    this.#expected = new Expected(options.scenario.population, options.calls);
    this.#found = new Uint8Array(options.calls.end);
  }

  async check(): Promise<LedgerCheck> {
    const from = performance.now();
    await this.#queueIsDone();
    await this.#readStatements();
    await this.#findMissing();
    await this.#readBalances();
    await this.#readTrialBalance();
    const counted = this.#count();
    return {
      ok: this.#faultsCount === 0,
      ...counted,
      settled: this.#options.settled,
      accounts: this.#accounts,
      entries: this.#entries,
      faults: this.#faults,
      queueMs: percentilesOf(this.#queueMs),
      seconds: (performance.now() - from) / 1000,
    };
  }

  /** Messages that the queue has taken are worked off: merchants have it all, or nothing comes any more. */
  async #queueIsDone(): Promise<void> {
    const { calls, scenario, queueStillMs = QUEUE_STILL_MS } = this.#options;
    let wanted = 0;
    for (const { operation, outcome } of calls) if (operation === 'queue_buy' && outcome === 'ok') wanted++;
    if (wanted === 0) return;
    const merchants = Array.from({ length: scenario.population.merchants }, (_, merchant) => merchant);
    let [last, since] = [Number.NaN, performance.now()];
    while (performance.now() - since < queueStillMs) {
      const balances = await this.#balances(merchants.map((one) => merchantId(this.#options.run, one)));
      let missing = 0;
      for (const one of merchants) missing += this.#expected.merchant(one).high - (balances[one] ?? 0);
      if (missing <= 0) return;
      if (missing !== last) [last, since] = [missing, performance.now()];
      this.#tell('waiting for the queue', missing, null);
      await sleep(Math.min(QUEUE_POLL_MS, queueStillMs));
    }
  }

  async #readStatements(): Promise<void> {
    const { run, scenario, startedAt } = this.#options;
    const merchants = Array.from({ length: scenario.population.merchants }, (_, merchant) => merchant);
    await inTurn([NO_MERCHANT, ...merchants], async (merchant) => {
      const account = merchant === NO_MERCHANT ? outside(scenario.currency) : merchantId(run, merchant);
      this.#accounts++;
      for await (const line of this.#client.listEntries(account, { limit: 100 })) {
        // The outside is older than the run, and others use it, too.
        if (merchant === NO_MERCHANT && Date.parse(line.created_at) < startedAt - CLOCKS_MS) break;
        this.#read(line, merchant, account);
      }
    });
  }

  #read(line: Line, merchant: number, account: string): void {
    const number = callOf(this.#options.run, line.reference);
    if (number === null) {
      if (merchant !== NO_MERCHANT) this.#fault(`${account} has an entry of ${line.transaction_id} that no call made`);
      return;
    }
    this.#entries++;
    this.#tell('statements', this.#entries, null);
    const call = this.#options.calls.get(number);
    const name = referenceOf(this.#options.run, number);
    if (call === null) {
      this.#fault(`${name} is in the statement of ${account}, and nobody has sent it`);
      return;
    }
    this.#found[number] = Math.min(255, this.#found[number]! + 1);
    if (this.#found[number] === 2) this.#fault(`${name} (${call.operation}) is in the ledger more than once`);
    const told = faultOf(call, line, merchant);
    if (told !== null) this.#fault(`${name} (${call.operation}) ${told}`);
    if (call.operation === 'queue_buy') record(this.#queueMs, Math.max(0, Date.parse(line.created_at) - call.dueAt));
  }

  async #findMissing(): Promise<void> {
    const missing: MoneyCall[] = [];
    for (const call of this.#options.calls) {
      if (call.outcome === 'ok' && this.#found[call.call] === 0) missing.push(call);
    }
    await inTurn(missing, async (call) => {
      const reference = referenceOf(this.#options.run, call.call);
      if (call.operation === 'queue_buy' && (await this.#isRejected(reference))) this.#rejected.add(call.call);
      else this.#fault(`${reference} (${call.operation} of ${call.amount}) was acknowledged and is not in the ledger`);
    });
  }

  async #isRejected(reference: string): Promise<boolean> {
    const { data } = await this.#client.listPayments({ reference }).page();
    return data.some(({ status }) => status === 'rejected');
  }

  async #readBalances(): Promise<void> {
    const { run, scenario } = this.#options;
    const expected = new Expected(scenario.population, this.#options.calls, (call) => this.#fateOf(call));
    const wallets = [...expected.wallets()];
    const batches = Array.from({ length: Math.ceil(wallets.length / BALANCES_AT_ONCE) }, (_, batch) =>
      wallets.slice(batch * BALANCES_AT_ONCE, (batch + 1) * BALANCES_AT_ONCE),
    );
    let done = 0;
    await inTurn(batches, async (batch) => {
      const ids = batch.map((wallet) => walletId(run, wallet));
      const balances = await this.#balances(ids);
      balances.forEach((posted, index) => {
        this.#compare(ids[index]!, posted, expected.wallet(batch[index]!));
      });
      done += batch.length;
      this.#tell('balances', done, wallets.length);
    });
    const merchants = Array.from({ length: scenario.population.merchants }, (_, merchant) => merchantId(run, merchant));
    const balances = await this.#balances(merchants);
    balances.forEach((posted, merchant) => {
      this.#compare(merchants[merchant]!, posted, expected.merchant(merchant));
    });
    this.#accounts += wallets.length;
  }

  /** By what users were told and what statements say: what was found has happened, so balances must have it, too. */
  #fateOf(call: MoneyCall): Fate {
    if (this.#rejected.has(call.call)) return 'not_done';
    const told = fateOf(call);
    return told === 'open' && this.#found[call.call]! > 0 ? 'done' : told;
  }

  #compare(account: string, posted: number | null, { low, high }: Range): void {
    if (posted === null) {
      this.#fault(`${account} was opened and is not there`);
    } else if (posted < low || posted > high) {
      const wanted = low === high ? String(low) : `${low} to ${high}`;
      this.#fault(`${account} holds ${posted}; by what was acknowledged it must hold ${wanted}`);
    }
  }

  /** In their order; null: there is no such account. */
  async #balances(accounts: readonly string[]): Promise<(number | null)[]> {
    const posted = new Map<string, number>();
    for (let from = 0; from < accounts.length; from += BALANCES_AT_ONCE) {
      const part = accounts.slice(from, from + BALANCES_AT_ONCE);
      const { data } = await this.#client.queryBalances({ accounts: [...part] });
      for (const balance of data) posted.set(balance.account, Number(balance.posted));
    }
    return accounts.map((account) => posted.get(account) ?? null);
  }

  async #readTrialBalance(): Promise<void> {
    try {
      for (const { currency, sum } of await this.#client.trialBalance()) {
        if (sum !== '0') this.#fault(`all accounts of ${currency} sum to ${sum} instead of 0`);
      }
    } catch (error) {
      // Not everything that is tested keeps one; balances and statements were compared all the same.
      if (!(error instanceof KvittError && error.code === 'not_found')) throw error;
    }
  }

  #count(): { acknowledged: number; once: number; unknown: number } {
    let [acknowledged, once, unknown] = [0, 0, 0];
    for (const { call, outcome } of this.#options.calls) {
      if (outcome === 'unknown') unknown++;
      if (outcome !== 'ok' || this.#rejected.has(call)) continue;
      acknowledged++;
      if (this.#found[call] === 1) once++;
    }
    return { acknowledged, once, unknown };
  }

  #fault(fault: string): void {
    this.#faultsCount++;
    if (this.#faults.length < FAULTS_MAX) this.#faults.push(fault);
  }

  #tell(phase: CheckProgress['phase'], done: number, of: number | null): void {
    this.#options.onProgress?.({ phase, done, of });
  }
}

/** null: the line says what the call was answered. */
function faultOf(call: MoneyCall, line: Line, merchant: number): string | null {
  if (call.outcome !== 'ok' && call.outcome !== 'unknown')
    return `was ${call.outcome} and is in the ledger all the same`;
  if (call.merchant !== merchant) return 'is in the statement of an account that it is not about';
  const amount = -amountToWallet(call);
  if (Number(line.amount) !== amount) return `is in the ledger with ${line.amount} instead of ${amount}`;
  if (call.transaction !== 0 && call.transaction !== tailOf(line.transaction_id)) {
    return `is in the ledger as ${line.transaction_id}, which is not what was answered`;
  }
  return null;
}

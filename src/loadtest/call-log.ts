/** The calls that move money, as columns: a run has millions, and each is looked for in the ledger afterwards. */
import { OUTCOMES, type Outcome } from './result.ts';
import { OPERATIONS, type Operation } from './scenario.ts';

export const NO_MERCHANT = 0xffff;
const BATCH_MIN = 1 << 10;
const TAIL_DIGITS = 8;

export interface MoneyCall {
  /** Its number in the run. */
  readonly call: number;
  readonly operation: Operation;
  readonly outcome: Outcome;
  readonly wallet: number;
  /** {@link NO_MERCHANT}: none. */
  readonly merchant: number;
  readonly amount: number;
  /** {@link tailOf} its transaction; 0: nobody has told. */
  readonly transaction: number;
  /** When it should have begun, ms since the epoch. */
  readonly dueAt: number;
}

/** Columns of equal length. */
export interface CallColumns {
  readonly call: Uint32Array;
  readonly operation: Uint8Array;
  readonly outcome: Uint8Array;
  readonly wallet: Uint32Array;
  readonly merchant: Uint16Array;
  readonly amount: Uint32Array;
  readonly transaction: Uint32Array;
  readonly dueAt: Float64Array;
}

/** What of a transaction's id is kept: its last digits, which are random. */
export function tailOf(transaction: string): number {
  return Number.parseInt(transaction.slice(-TAIL_DIGITS), 16) >>> 0;
}

function columns(length: number): CallColumns {
  return {
    call: new Uint32Array(length),
    operation: new Uint8Array(length),
    outcome: new Uint8Array(length),
    wallet: new Uint32Array(length),
    merchant: new Uint16Array(length),
    amount: new Uint32Array(length),
    transaction: new Uint32Array(length),
    dueAt: new Float64Array(length),
  };
}

function copied(from: CallColumns, length: number, used: number): CallColumns {
  const to = columns(length);
  for (const name of Object.keys(to) as (keyof CallColumns)[]) to[name].set(from[name].subarray(0, used));
  return to;
}

/** Calls of a generator since it last told of them. */
export class CallLog {
  #columns = columns(BATCH_MIN);
  #length = 0;

  add(one: MoneyCall): void {
    if (this.#length === this.#columns.call.length) {
      this.#columns = copied(this.#columns, 2 * this.#length, this.#length);
    }
    put(this.#columns, this.#length++, one);
  }

  /** null: there are none. */
  take(): CallColumns | null {
    if (this.#length === 0) return null;
    const taken = copied(this.#columns, this.#length, this.#length);
    this.#length = 0;
    return taken;
  }
}

function put(to: CallColumns, at: number, one: MoneyCall): void {
  to.call[at] = one.call;
  to.operation[at] = OPERATIONS.indexOf(one.operation);
  to.outcome[at] = OUTCOMES.indexOf(one.outcome);
  to.wallet[at] = one.wallet;
  to.merchant[at] = one.merchant;
  to.amount[at] = one.amount;
  to.transaction[at] = one.transaction;
  to.dueAt[at] = one.dueAt;
}

/** All calls of a run that move money, by their number; the last that was said of one counts. */
export class MoneyCalls {
  #columns = columns(BATCH_MIN);
  #isThere = new Uint8Array(BATCH_MIN);
  /** One more than the highest number. */
  #end = 0;

  add(batch: CallColumns): void {
    const { length } = batch.call;
    for (const call of batch.call) this.#end = Math.max(this.#end, call + 1);
    this.#makeRoom(this.#end);
    for (const call of batch.call) this.#isThere[call] = 1;
    // Column by column: there are millions of rows, and the run goes on meanwhile.
    for (const name of Object.keys(batch) as (keyof CallColumns)[]) {
      const [from, to] = [batch[name], this.#columns[name]];
      for (let row = 0; row < length; row++) to[batch.call[row]!] = from[row]!;
    }
  }

  /** One more than the highest number of a call. */
  get end(): number {
    return this.#end;
  }

  /** null: there is no such call. */
  get(call: number): MoneyCall | null {
    if (!(call < this.#end) || this.#isThere[call] === 0) return null;
    const from = this.#columns;
    return {
      call,
      operation: OPERATIONS[from.operation[call]!]!,
      outcome: OUTCOMES[from.outcome[call]!]!,
      wallet: from.wallet[call]!,
      merchant: from.merchant[call]!,
      amount: from.amount[call]!,
      transaction: from.transaction[call]!,
      dueAt: from.dueAt[call]!,
    };
  }

  *[Symbol.iterator](): Generator<MoneyCall> {
    for (let call = 0; call < this.#end; call++) {
      const one = this.get(call);
      if (one !== null) yield one;
    }
  }

  #makeRoom(end: number): void {
    const length = this.#isThere.length;
    if (end <= length) return;
    const wanted = 2 ** Math.ceil(Math.log2(end));
    this.#columns = copied(this.#columns, wanted, length);
    const isThere = new Uint8Array(wanted);
    isThere.set(this.#isThere);
    this.#isThere = isThere;
  }
}

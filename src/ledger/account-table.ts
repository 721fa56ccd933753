import { AccountIds } from './account-ids.ts';
import { widened } from './columns.ts';
import { SlotIndex } from './slot-index.ts';
import type { Account, AccountState, AccountStatus } from './types.ts';

const LOADED = 1;
const REFERENCED = 2;
const LIMITED = 4;
const NO_MIN = 8;
const NO_MAX = 16;
const FROZEN = 32;
const CLOSED = 64;
/** What a change of the account may set or clear. */
const STATE = LIMITED | NO_MIN | NO_MAX | FROZEN | CLOSED;

const DEFAULT_LIMITS = { min: 0n, max: null } as const;
interface Limits {
  readonly min: bigint | null;
  readonly max: bigint | null;
}

const SLOTS_AT_FIRST = 1024;

/**
 * The accounts in memory: a cache of bounded size over the journal, kept as columns so that a million accounts cost
 * some hundred bytes each and the garbage collector sees only a few arrays.
 *
 * Each account has a slot. A slot is `LOADED` once its balance is that of the tip of its book; before that, a block
 * that touches it changes its version, so that whoever is just reading its balance reads again, and so does another
 * account that takes the slot. Pinned slots are in use by commands in flight and are never evicted; of the others, the
 * second-chance (CLOCK) rule picks one.
 */
export class AccountTable {
  readonly #ids = new AccountIds();
  readonly #slots = new SlotIndex(this.#ids);
  #currencies: string[] = [];
  readonly #currencyNumbers = new Map<string, number>();
  #currency = new Uint16Array(SLOTS_AT_FIRST);
  #book = new Uint16Array(SLOTS_AT_FIRST);
  #posted = new BigInt64Array(SLOTS_AT_FIRST);
  #held = new BigInt64Array(SLOTS_AT_FIRST);
  #min = new BigInt64Array(SLOTS_AT_FIRST);
  #max = new BigInt64Array(SLOTS_AT_FIRST);
  #flags = new Uint8Array(SLOTS_AT_FIRST);
  /** Wraps around after 2^32 changes, far more than there are during one read. */
  #version = new Uint32Array(SLOTS_AT_FIRST);
  #pins = new Uint16Array(SLOTS_AT_FIRST);
  #used = 0;
  #hand = 0;
  #evicted = 0;

  constructor(readonly capacity: number) {
    if (!Number.isSafeInteger(capacity) || capacity < 1) throw new RangeError('capacity must be a positive integer');
  }

  /** Accounts in memory. */
  get size(): number {
    return this.#slots.size;
  }

  /** Accounts that had to make room for others so far. */
  get evicted(): number {
    return this.#evicted;
  }

  /** The slot of an account, or -1. */
  find(id: string): number {
    const slot = this.#slots.find(id);
    if (slot < 0) return -1;
    this.#flags[slot]! |= REFERENCED;
    return slot;
  }

  /** Adds an account whose balance is not known yet; answers its slot. Throws when every slot is pinned. */
  add(account: Account): number {
    const known = this.find(account.id);
    if (known >= 0) return known;
    const slot = this.#used < this.capacity ? this.#grow() : this.#evict();
    this.#ids.set(slot, account.id);
    this.#slots.add(slot, account.id);
    this.#book[slot] = account.book;
    this.#currency[slot] = this.#currencyNumber(account.currency);
    this.#posted[slot] = 0n;
    this.#held[slot] = 0n;
    this.#flags[slot] = REFERENCED;
    this.#version[slot]!++;
    this.#setLimits(slot, account);
    return slot;
  }

  #setLimits(slot: number, { minBalance, maxBalance }: Pick<Account, 'minBalance' | 'maxBalance'>): void {
    if (minBalance === DEFAULT_LIMITS.min && maxBalance === DEFAULT_LIMITS.max) return;
    this.#flags[slot]! |= LIMITED | (minBalance === null ? NO_MIN : 0) | (maxBalance === null ? NO_MAX : 0);
    this.#min[slot] = minBalance ?? 0n;
    this.#max[slot] = maxBalance ?? 0n;
  }

  id(slot: number): string {
    return this.#ids.get(slot);
  }
  book(slot: number): number {
    return this.#book[slot]!;
  }
  currency(slot: number): string {
    return this.#currencies[this.#currency[slot]!]!;
  }
  posted(slot: number): bigint {
    return this.#posted[slot]!;
  }
  held(slot: number): bigint {
    return this.#held[slot]!;
  }
  limits(slot: number): Limits {
    const flags = this.#flags[slot]!;
    if (!(flags & LIMITED)) return DEFAULT_LIMITS;
    return { min: flags & NO_MIN ? null : this.#min[slot]!, max: flags & NO_MAX ? null : this.#max[slot]! };
  }
  status(slot: number): AccountStatus {
    const flags = this.#flags[slot]!;
    if (flags & CLOSED) return 'closed';
    return flags & FROZEN ? 'frozen' : 'open';
  }
  state(slot: number): AccountState {
    const { min, max } = this.limits(slot);
    return { status: this.status(slot), minBalance: min, maxBalance: max };
  }
  isLoaded(slot: number): boolean {
    return (this.#flags[slot]! & LOADED) !== 0;
  }

  /** Sets the balance of a loaded slot to what a block says; of a slot that is not, what is being read is out of date. */
  set(slot: number, posted: bigint, held: bigint): void {
    if (!this.isLoaded(slot)) {
      this.#version[slot]!++;
      return;
    }
    this.#posted[slot] = posted;
    this.#held[slot] = held;
  }

  /** Sets what a block says of a loaded account; of one that is not, what is being read is out of date. */
  setState(slot: number, state: AccountState): void {
    if (this.isLoaded(slot)) this.#setState(slot, state);
    else this.#version[slot]!++;
  }

  #setState(slot: number, state: AccountState): void {
    this.#flags[slot]! &= ~STATE;
    this.#setLimits(slot, state);
    if (state.status === 'frozen') this.#flags[slot]! |= FROZEN;
    if (state.status === 'closed') this.#flags[slot]! |= CLOSED;
  }

  /** Declares that a balance is about to be read for this slot; answers what `finishLoad` wants to know. */
  beginLoad(slot: number): number {
    return this.#version[slot]!;
  }

  /**
   * Takes what was read of an account, unless a block has touched it since `beginLoad`, or it is another one. Without a
   * state it is as it was opened.
   */
  finishLoad(slot: number, version: number, posted: bigint, held: bigint, state?: AccountState): void {
    if (this.isLoaded(slot) || this.#version[slot] !== version) return;
    this.#posted[slot] = posted;
    this.#held[slot] = held;
    if (state) this.#setState(slot, state);
    this.#flags[slot]! |= LOADED;
  }

  /** Forgets the balances of a book, also those that are being read, keeping the accounts. */
  unloadBook(book: number): void {
    for (let slot = 0; slot < this.#used; slot++) {
      if (this.#book[slot] !== book) continue;
      this.#flags[slot]! &= ~LOADED;
      this.#version[slot]!++;
    }
  }

  /** Forgets all balances, also those that are being read, keeping the accounts. */
  unloadAll(): void {
    for (let slot = 0; slot < this.#used; slot++) {
      this.#flags[slot]! &= ~LOADED;
      this.#version[slot]!++;
    }
  }

  pin(slot: number): void {
    this.#pins[slot]!++;
  }
  unpin(slot: number): void {
    this.#pins[slot]!--;
  }

  #currencyNumber(code: string): number {
    let number = this.#currencyNumbers.get(code);
    if (number === undefined) {
      number = this.#currencies.push(code) - 1;
      this.#currencyNumbers.set(code, number);
    }
    return number;
  }

  #grow(): number {
    const slot = this.#used++;
    if (slot >= this.#flags.length) {
      const length = Math.min(this.capacity, this.#flags.length * 2);
      this.#currency = widened(this.#currency, new Uint16Array(length));
      this.#book = widened(this.#book, new Uint16Array(length));
      this.#posted = widened(this.#posted, new BigInt64Array(length));
      this.#held = widened(this.#held, new BigInt64Array(length));
      this.#min = widened(this.#min, new BigInt64Array(length));
      this.#max = widened(this.#max, new BigInt64Array(length));
      this.#flags = widened(this.#flags, new Uint8Array(length));
      this.#version = widened(this.#version, new Uint32Array(length));
      this.#pins = widened(this.#pins, new Uint16Array(length));
    }
    return slot;
  }

  #evict(): number {
    // Two turns: the first may only clear the marks of recent use.
    for (let tries = 0; tries < 2 * this.capacity; tries++) {
      const slot = this.#hand;
      this.#hand = (this.#hand + 1) % this.capacity;
      if (this.#pins[slot]! > 0) continue;
      if (this.#flags[slot]! & REFERENCED) {
        this.#flags[slot]! &= ~REFERENCED;
        continue;
      }
      this.#slots.remove(slot);
      this.#evicted++;
      return slot;
    }
    throw new Error(`all ${this.capacity} accounts in memory are in use by commands in flight`);
  }
}

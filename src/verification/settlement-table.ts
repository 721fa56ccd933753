import { widened } from '../ledger/columns.ts';
import type { Settlement } from '../ledger/types.ts';

const SLOTS_AT_FIRST = 1024;
/** Stands for the slot of an account where there is none. */
const NO_ACCOUNT = -1;

/** How far a payment or transaction is settled. */
export type Amounts = Pick<Settlement, 'held' | 'captured' | 'refunded'>;

/** Where a settlement stands. */
interface Standing {
  readonly book: number;
  /** The stretch of unbroken journal in that book. */
  readonly stretch: number;
  /** Slot of the account whose balance is held; -1: none. */
  readonly account: number;
}

/**
 * How every payment and transaction stands that was held, captured, refunded or reversed, as columns: some 150 bytes
 * each. Of a payment that was made at once and never refunded nothing is kept.
 */
export class SettlementTable {
  readonly #slots = new Map<string, number>();
  #book = new Uint32Array(SLOTS_AT_FIRST);
  #stretch = new Uint32Array(SLOTS_AT_FIRST);
  #account = new Int32Array(SLOTS_AT_FIRST);
  #held = new BigInt64Array(SLOTS_AT_FIRST);
  #captured = new BigInt64Array(SLOTS_AT_FIRST);
  #refunded = new BigInt64Array(SLOTS_AT_FIRST);
  /** NaN: never. */
  #expiresAt = new Float64Array(SLOTS_AT_FIRST);
  /** Those that were first settled by what follows them, so that the journal itself does not tell what they were. */
  readonly #questioned = new Set<string>();
  /** By slot of an account: what was held in all for those payments of it that are in here. */
  readonly #heldBefore = new Map<number, bigint>();

  /** The slot of a payment or transaction, or -1. */
  find(id: string): number {
    return this.#slots.get(id) ?? -1;
  }
  book(slot: number): number {
    return this.#book[slot]!;
  }
  stretch(slot: number): number {
    return this.#stretch[slot]!;
  }
  account(slot: number): number {
    return this.#account[slot]!;
  }
  amounts(slot: number): Amounts {
    return { held: this.#held[slot]!, captured: this.#captured[slot]!, refunded: this.#refunded[slot]! };
  }
  expiresAt(slot: number): number | undefined {
    const at = this.#expiresAt[slot]!;
    return Number.isNaN(at) ? undefined : at;
  }

  set({ id, held, captured, refunded, expiresAt }: Settlement, { book, stretch, account }: Standing): void {
    let slot = this.find(id);
    if (slot < 0) {
      slot = this.#slots.size;
      if (slot === this.#book.length) this.#widen();
      this.#slots.set(id, slot);
    }
    this.#book[slot] = book;
    this.#stretch[slot] = stretch;
    this.#account[slot] = account;
    this.#held[slot] = held;
    this.#captured[slot] = captured;
    this.#refunded[slot] = refunded;
    this.#expiresAt[slot] = expiresAt ?? Number.NaN;
  }

  /** Sets how it stood when all that is replayed began. */
  begin(settlement: Settlement, standing: Standing): void {
    this.set(settlement, standing);
    if (settlement.held === 0n || standing.account === NO_ACCOUNT) return;
    this.#heldBefore.set(standing.account, (this.#heldBefore.get(standing.account) ?? 0n) + settlement.held);
  }

  /** What it is said to have captured is to be compared with its own command. */
  question(id: string): void {
    this.#questioned.add(id);
  }

  /** Was it in question? It is not any more. */
  answer(id: string): boolean {
    return this.#questioned.size > 0 && this.#questioned.delete(id);
  }

  /** What is still in question: no command answered for it. */
  get unanswered(): Iterable<string> {
    return this.#questioned;
  }

  /** How much more is held for the payments of each account than when it all began, by its slot. */
  moreHeldByAccount(): Map<number, bigint> {
    const sums = new Map([...this.#heldBefore].map(([account, held]) => [account, -held]));
    for (let slot = 0; slot < this.#slots.size; slot++) {
      const [account, held] = [this.#account[slot]!, this.#held[slot]!];
      if (held !== 0n && account !== NO_ACCOUNT) sums.set(account, (sums.get(account) ?? 0n) + held);
    }
    return sums;
  }

  #widen(): void {
    const length = this.#book.length * 2;
    this.#book = widened(this.#book, new Uint32Array(length));
    this.#stretch = widened(this.#stretch, new Uint32Array(length));
    this.#account = widened(this.#account, new Int32Array(length));
    this.#held = widened(this.#held, new BigInt64Array(length));
    this.#captured = widened(this.#captured, new BigInt64Array(length));
    this.#refunded = widened(this.#refunded, new BigInt64Array(length));
    this.#expiresAt = widened(this.#expiresAt, new Float64Array(length));
  }
}

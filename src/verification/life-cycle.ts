import type { AccountState, ChangedAccount, Entry, Settlement } from '../ledger/types.ts';
import type { BreakFound, BreakList } from './breaks.ts';
import type { ReplayTable } from './replay-table.ts';
import type { Amounts, SettlementTable } from './settlement-table.ts';
import { type AmountsBefore, wrongStepOf } from './settling-step.ts';

/** What an entry was decided on; undefined: it is not known. */
export interface Before {
  readonly settlement?: AmountsBefore;
  readonly state?: AccountState | undefined;
  /** What it says of it was found to be wrong already. */
  readonly isWrong?: boolean;
}

/** On which account more is held after an entry, or less; `more` null: nobody can tell how much. */
interface HeldMore {
  readonly account: string;
  readonly more: bigint | null;
}

interface Place {
  readonly height: number;
  /** Milliseconds since the epoch: the time of the block. */
  readonly at: number;
  /** The stretch of unbroken journal. */
  readonly stretch: number;
}

/** Replays what the entries of one book say of payments that are settled later, and of accounts that are changed. */
export class LifeCycleReplay {
  constructor(
    readonly book: number,
    readonly table: ReplayTable,
    readonly settlements: SettlementTable,
    readonly breaks: BreakList,
  ) {}

  /** Takes in how something is settled now. Answers on which account that holds more, and how it was settled before. */
  settle(entry: Entry, { height, at, stretch }: Place): { held: HeldMore | null; before: Before } {
    const settlement = entry.settlement!;
    const known = this.settlements.find(settlement.id);
    const account = settlement.account === undefined ? -1 : this.table.find(settlement.account);
    const standing = this.#amountsBefore(known, stretch);
    const why = this.#changedConstant(settlement, known, account) ?? wrongStepOf(entry, standing, at);
    const before = why === null ? standing : undefined;
    if (why !== null) this.#wrongSettlement(height, entry, standing, why);
    else if (standing === null && settlement.id !== entry.id) this.settlements.question(settlement.id);
    // What another book says of it is wrong, and is not gone on from.
    const isHere = known < 0 || this.settlements.book(known) === this.book;
    if (isHere) this.settlements.set(settlement, { book: this.book, stretch, account });
    const more = before === undefined ? null : settlement.held - (before?.held ?? 0n);
    const held = settlement.account === undefined || more === 0n ? null : { account: settlement.account, more };
    if (held?.more && !entry.postings.some((posting) => posting.account === held.account)) {
      this.#wrongSettlement(height, entry, standing, `no posting holds ${more} more on account ${held.account}`);
    }
    return { held, before: { settlement: before, isWrong: why !== null } };
  }

  #amountsBefore(known: number, stretch: number): AmountsBefore {
    // What is missing may have settled it.
    if (known < 0) return stretch === 0 ? null : undefined;
    return this.settlements.stretch(known) === stretch ? this.settlements.amounts(known) : undefined;
  }

  #changedConstant({ account: name, expiresAt }: Settlement, known: number, account: number): string | null {
    if (known < 0) return null;
    const book = this.settlements.book(known);
    if (book !== this.book) return `it was settled in book ${book} before`;
    const other = this.settlements.account(known);
    if (other !== account) return `it was held on another account than ${name ?? 'none'} before`;
    const expired = this.settlements.expiresAt(known);
    return expired === expiresAt ? null : `it was to expire at ${expired ?? 'no time'} before, and not at ${expiresAt}`;
  }

  #wrongSettlement(height: number, entry: Entry, before: AmountsBefore, why: string): void {
    const settlement = entry.settlement!;
    const { id, account } = settlement;
    this.#broken(height, {
      kind: 'wrong_settlement',
      entry: entry.id,
      ...(account === undefined ? {} : { account }),
      expected: before ? `what follows from ${amountsText(before)}` : null,
      actual: amountsText(settlement),
      message: `entry ${entry.id} cannot settle ${id} as it says: ${why}`,
    });
  }

  /** Takes in how an account is now; answers how it was. */
  change(entry: Entry, { height, stretch }: Place): Before {
    const { table } = this;
    const changed = entry.changed!;
    const { account } = changed;
    const slot = table.find(account);
    const at = { entry: entry.id, account };
    if (slot < 0) {
      const message = `entry ${entry.id} changes account ${account}, which does not exist`;
      this.#broken(height, { ...at, kind: 'unknown_account', message });
      return {};
    }
    if (table.book(slot) !== this.book) {
      const [expected, actual] = [String(table.book(slot)), String(this.book)];
      const message = `entry ${entry.id} changes account ${account} of book ${expected} in book ${actual}`;
      this.#broken(height, { ...at, kind: 'wrong_book', expected, actual, message });
      return {};
    }
    const before = table.state(slot);
    const why = this.#wrongChange(changed, before, slot, table.stretch(slot) === stretch);
    table.setState(slot, changed);
    if (why !== null) {
      const message = `entry ${entry.id} cannot change account ${account} as it says: ${why}`;
      const [expected, actual] = [`what follows from ${stateText(before)}`, stateText(changed)];
      this.#broken(height, { ...at, kind: 'wrong_account_change', expected, actual, message });
    }
    return why === null && stretch > 0 ? {} : { state: before, isWrong: why !== null };
  }

  /** Why an account cannot be changed so; null: it can. */
  #wrongChange(after: ChangedAccount, before: AccountState, slot: number, isBalanceKnown: boolean): string | null {
    if (this.table.isSystem(slot)) return 'it is an account of the ledger itself';
    if (this.table.isUnannounced(slot))
      return 'its document does not say that it may be changed, so nobody looks for it';
    if (before.status === 'closed' && after.status !== 'closed') return 'what is closed stays so';
    if (!isBalanceKnown) return null;
    const [posted, held] = [this.table.posted(slot), this.table.held(slot)];
    if (after.status === 'closed' && (posted !== 0n || held !== 0n)) return 'it is not empty';
    const { minBalance: min, maxBalance: max } = after;
    if (min !== before.minBalance && min !== null && posted - held < min) return 'it has less than its new limit';
    if (max !== before.maxBalance && max !== null && posted > max) return 'it has more than its new limit';
    return null;
  }

  #broken(height: number, found: BreakFound): void {
    this.breaks.add({ ...found, book: this.book, height });
  }
}

export function amountsText({ held, captured, refunded }: Amounts): string {
  return `held ${held}, captured ${captured}, refunded ${refunded}`;
}

export function stateText({ status, minBalance, maxBalance }: AccountState): string {
  return `${status}, at least ${minBalance ?? 'anything'}, at most ${maxBalance ?? 'anything'}`;
}

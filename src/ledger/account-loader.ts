import type { AccountTable } from './account-table.ts';
import { type Crossing, isSystemAccount, type PartPlan, planCrossing, suspenseAccount } from './crossing.ts';
import { LedgerError } from './errors.ts';
import type { AccountsPort, JournalPort } from './ports.ts';
import { Progress, partsOf } from './progress.ts';
import type { Task } from './task.ts';
import type { Account, Command } from './types.ts';

const LOAD_ATTEMPTS_MAX = 20;
const NONE: readonly never[] = [];

/** Brings the accounts of commands into memory: first who they are, then what they hold. */
export class AccountLoader {
  constructor(
    readonly table: AccountTable,
    readonly accounts: AccountsPort,
    readonly journal: JournalPort,
  ) {}

  /**
   * Looks up the accounts of all tasks, plans what each book has to do, and pins the accounts. Answers the tasks whose
   * legs do not fit their accounts, with the reason; these are not pinned. Rejects when the accounts cannot be read;
   * then none is pinned.
   */
  async identify(tasks: readonly Task[]): Promise<Map<Task, LedgerError>> {
    const pins = new Pins(this.table);
    try {
      const slots = await this.#slotsOf(tasks, pins);
      const refused = new Map<Task, LedgerError>();
      const crossing: { task: Task; slots: readonly number[]; plan: Crossing }[] = [];
      for (const [i, task] of tasks.entries()) {
        const own = slots[i]!;
        const reason = this.#misfit(task.command, own);
        if (reason !== null) refused.set(task, reason);
        else if (this.#isWithinOneBook(own)) this.#planWithin(task, own);
        else
          crossing.push({
            task,
            slots: own,
            plan: planCrossing(task.command.legs, (leg) => this.table.book(own[leg]!)),
          });
      }
      if (crossing.length > 0) await this.#ensureSystemAccounts(crossing.map(({ plan }) => plan));
      for (const { task, slots, plan } of crossing) this.#planCrossing(task, slots, plan);
      return refused;
    } finally {
      // Each task holds pins of its own by now.
      pins.release();
    }
  }

  async #slotsOf(tasks: readonly Task[], pins: Pins): Promise<number[][]> {
    const missing = new Set<string>();
    const slots = tasks.map(({ command }) =>
      command.legs.map(({ account }) => {
        // Pinned at once: adding other accounts must not evict these.
        const slot = pins.add(this.table.find(account));
        if (slot < 0) missing.add(account);
        return slot;
      }),
    );
    if (missing.size === 0) return slots;
    const found = new Map((await this.accounts.load([...missing])).map((account) => [account.id, account]));
    for (const [i, { command }] of tasks.entries()) {
      const own = slots[i]!;
      for (let leg = 0; leg < own.length; leg++) {
        const identity = own[leg]! < 0 ? found.get(command.legs[leg]!.account) : undefined;
        if (identity) own[leg] = pins.add(this.table.add(identity));
      }
    }
    return slots;
  }

  #misfit({ legs }: Command, slots: readonly number[]): LedgerError | null {
    for (let leg = 0; leg < slots.length; leg++) {
      const { account, currency } = legs[leg]!;
      const slot = slots[leg]!;
      if (slot < 0 || isSystemAccount(account)) {
        return new LedgerError('account_not_found', `there is no account ${account}`, { account, leg });
      }
      if (this.table.currency(slot) !== currency) {
        const message = `account ${account} holds ${this.table.currency(slot)}, not ${currency}`;
        return new LedgerError('currency_mismatch', message, { account, leg });
      }
    }
    return null;
  }

  #isWithinOneBook(slots: readonly number[]): boolean {
    const book = this.table.book(slots[0]!);
    for (let i = 1; i < slots.length; i++) if (this.table.book(slots[i]!) !== book) return false;
    return true;
  }

  #planWithin(task: Task, slots: readonly number[]): void {
    for (const slot of slots) this.table.pin(slot);
    const part = { book: this.table.book(slots[0]!), legs: task.command.legs, slots, suspense: NONE };
    task.progress = new Progress([part], NONE, NONE, slots);
  }

  /** In the database before anything is posted to them, so that each posting has an account. */
  async #ensureSystemAccounts(plans: readonly Crossing[]): Promise<void> {
    const missing = new Map<string, Account>();
    for (const plan of plans) {
      for (const account of systemAccountsOf(plan))
        if (this.table.find(account.id) < 0) missing.set(account.id, account);
    }
    if (missing.size > 0) await this.accounts.ensure([...missing.values()]);
  }

  #planCrossing(task: Task, own: readonly number[], plan: Crossing): void {
    const pins = new Pins(this.table);
    const { legs } = task.command;
    const slotOf = ({ book, legs: planned }: PartPlan, leg: number) => {
      const { account, currency } = planned[leg]!;
      if (isSystemAccount(account)) return pins.add(this.table.add(systemAccount(account, book, currency)));
      return pins.add(own[legs.findIndex((one) => one.account === account)]!);
    };
    const suspenseOf = ({ book, legs: planned }: PartPlan, leg: number) => {
      const { currency } = planned[leg]!;
      return pins.add(this.table.add(systemAccount(suspenseAccount(book, currency), book, currency)));
    };
    const { first, credits, reversals } = partsOf(task.command, plan, slotOf, suspenseOf);
    task.progress = new Progress(first, credits, reversals, pins.taken());
  }

  /**
   * Brings the balances of the tasks' accounts into memory, as far as their books are open. Rejects when they cannot be
   * read. A balance of a book that is not open is left out: nobody would see the blocks that change it.
   */
  async load(tasks: readonly Task[], isOpen: (book: number) => boolean): Promise<void> {
    const { table } = this;
    for (let attempt = 0; attempt < LOAD_ATTEMPTS_MAX; attempt++) {
      const wanted = new Map<number, number>();
      for (const { progress } of tasks) {
        for (const slot of progress?.pinned ?? NONE) {
          if (!table.isLoaded(slot) && isOpen(table.book(slot))) wanted.set(slot, table.beginLoad(slot));
        }
      }
      if (wanted.size === 0) return;
      const balances = await this.journal.balances([...wanted.keys()].map((slot) => table.id(slot)));
      for (const [slot, version] of wanted) {
        const balance = balances.get(table.id(slot));
        table.finishLoad(slot, version, balance?.posted ?? 0n, balance?.held ?? 0n);
      }
    }
    throw new Error('the balances of some accounts kept changing while they were read');
  }

  /** Gives the pins of a task back; it can not be decided any more. */
  release(task: Task): void {
    for (const slot of task.progress?.pinned ?? NONE) this.table.unpin(slot);
    task.progress = null;
  }
}

/** Slots that are pinned for somebody, each once. */
class Pins {
  readonly #slots = new Set<number>();

  constructor(readonly table: AccountTable) {}

  /** Pins the slot, unless there is none (-1); answers it. */
  add(slot: number): number {
    if (slot >= 0 && !this.#slots.has(slot)) {
      this.#slots.add(slot);
      this.table.pin(slot);
    }
    return slot;
  }

  taken(): number[] {
    return [...this.#slots];
  }

  release(): void {
    for (const slot of this.#slots) this.table.unpin(slot);
  }
}

function systemAccount(id: string, book: number, currency: string): Account {
  return { id, book, currency, minBalance: null, maxBalance: null };
}

function* systemAccountsOf({ debits, credits }: Crossing): Generator<Account> {
  for (const { book, legs } of [...debits, ...credits]) {
    for (const { account, currency } of legs) {
      if (isSystemAccount(account)) yield systemAccount(account, book, currency);
      yield systemAccount(suspenseAccount(book, currency), book, currency);
    }
  }
}

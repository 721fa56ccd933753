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
  /** Accounts looked up for commands: found in memory, or read. For metrics. */
  readonly counts = { accountsFound: 0, accountsRead: 0 };

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
    const changed = tasks.flatMap(({ command: { change } }) => (change ? [change.account] : []));
    if (changed.length > 0) await this.accounts.announceChanges(changed);
    const pins = new Pins(this.table);
    try {
      const slots = await this.#slotsOf(tasks, pins);
      const refused = new Map<Task, LedgerError>();
      const crossing: Crossed[] = [];
      for (const [i, task] of tasks.entries()) {
        const own = slots[i]!;
        const reason = this.#misfit(task.command, own);
        if (reason !== null) refused.set(task, reason);
        else if (task.command.hold) this.#planHold(task, own);
        else if (this.#isWithinOneBook(task.command, own)) this.#planWithin(task, own);
        else crossing.push({ task, slots: own, plan: this.#crossingOf(task.command, own) });
      }
      if (crossing.length > 0) await this.#ensureSystemAccounts(crossing.map(({ plan }) => plan));
      for (const one of crossing) this.#planCrossing(one);
      return refused;
    } finally {
      // Each task holds pins of its own by now.
      pins.release();
    }
  }

  async #slotsOf(tasks: readonly Task[], pins: Pins): Promise<OwnSlots[]> {
    const missing = new Set<string>();
    const find = (account: string) => {
      // Pinned at once: adding other accounts must not evict these.
      const slot = pins.add(this.table.find(account));
      if (slot < 0) missing.add(account);
      else this.counts.accountsFound++;
      return slot;
    };
    const slots = tasks.map(({ command }): OwnSlots => {
      const subject = subjectOf(command);
      return { legs: command.legs.map(({ account }) => find(account)), subject: subject === null ? -1 : find(subject) };
    });
    if (missing.size === 0) return slots;
    this.counts.accountsRead += missing.size;
    const found = new Map((await this.accounts.load([...missing])).map((account) => [account.id, account]));
    const add = (account: string) => {
      const identity = found.get(account);
      return identity ? pins.add(this.table.add(identity)) : -1;
    };
    for (const [i, { command }] of tasks.entries()) {
      const own = slots[i]!;
      for (let leg = 0; leg < own.legs.length; leg++) {
        if (own.legs[leg]! < 0) own.legs[leg] = add(command.legs[leg]!.account);
      }
      const subject = subjectOf(command);
      if (subject !== null && own.subject < 0) own.subject = add(subject);
    }
    return slots;
  }

  #misfit(command: Command, { legs: slots, subject }: OwnSlots): LedgerError | null {
    const { legs } = command;
    for (let leg = 0; leg < slots.length; leg++) {
      const { account, currency } = legs[leg]!;
      const slot = slots[leg]!;
      if (slot < 0 || isSystemAccount(account)) return notFound(account, leg);
      if (this.table.currency(slot) !== currency) {
        const message = `account ${account} holds ${this.table.currency(slot)}, not ${currency}`;
        return new LedgerError('currency_mismatch', message, { account, leg });
      }
    }
    const about = subjectOf(command);
    if (about !== null && (subject < 0 || isSystemAccount(about))) return notFound(about);
    return null;
  }

  #isWithinOneBook({ follows }: Command, { legs, subject }: OwnSlots): boolean {
    const book = follows?.book ?? this.table.book(legs[0] ?? subject);
    for (let i = 0; i < legs.length; i++) if (this.table.book(legs[i]!) !== book) return false;
    return true;
  }

  #planWithin(task: Task, { legs: slots, subject }: OwnSlots): void {
    const { legs, follows, change } = task.command;
    const pinned = subject < 0 || slots.includes(subject) ? slots : [...slots, subject];
    for (const slot of pinned) this.table.pin(slot);
    const book = follows?.book ?? this.table.book(slots[0] ?? subject);
    const decides = follows !== undefined || change !== undefined;
    const part = { book, legs, slots, suspense: NONE, decides, subject, payees: NONE };
    task.progress = new Progress([part], NONE, NONE, pinned);
  }

  /** Nothing moves: what the source would give is held there, in its book. */
  #planHold(task: Task, { legs, subject }: OwnSlots): void {
    for (const slot of legs) this.table.pin(slot);
    const payees = legs.filter((slot) => slot !== subject);
    const part = { legs: NONE, slots: NONE, suspense: NONE, decides: true, subject, payees };
    task.progress = new Progress([{ book: this.table.book(subject), ...part }], NONE, NONE, legs);
  }

  #crossingOf({ legs, follows }: Command, slots: OwnSlots): Crossing {
    return planCrossing(legs, (leg) => this.table.book(slots.legs[leg]!), follows?.book);
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

  #planCrossing({ task, slots: own, plan }: Crossed): void {
    const pins = new Pins(this.table);
    const { legs } = task.command;
    const slotOf = ({ book, legs: planned }: PartPlan, leg: number) => {
      const { account, currency } = planned[leg]!;
      if (isSystemAccount(account)) return pins.add(this.table.add(systemAccount(account, book, currency)));
      return pins.add(own.legs[legs.findIndex((one) => one.account === account)]!);
    };
    const suspenseOf = ({ book, legs: planned }: PartPlan, leg: number) => {
      const { currency } = planned[leg]!;
      return pins.add(this.table.add(systemAccount(suspenseAccount(book, currency), book, currency)));
    };
    const subject = pins.add(own.subject);
    const { first, credits, reversals } = partsOf(task.command, plan, { leg: slotOf, suspense: suspenseOf, subject });
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
        table.finishLoad(slot, version, balance?.posted ?? 0n, balance?.held ?? 0n, balance?.state);
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

/** Slots of a command's accounts: those of its legs, in their order, and that of the account that it is about; -1: none. */
interface OwnSlots {
  readonly legs: number[];
  subject: number;
}

interface Crossed {
  readonly task: Task;
  readonly slots: OwnSlots;
  readonly plan: Crossing;
}

/** The account that is changed, or on which more or less is held; null: none. */
function subjectOf({ change, follows, hold, legs }: Command): string | null {
  if (change) return change.account;
  if (follows) return follows.origin.account ?? null;
  return hold ? legs.find(({ amount }) => amount < 0n)!.account : null;
}

function notFound(account: string, leg?: number): LedgerError {
  const where = leg === undefined ? { account } : { account, leg };
  return new LedgerError('account_not_found', `there is no account ${account}`, where);
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

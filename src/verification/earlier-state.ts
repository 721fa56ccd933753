import type { AccountTip, Command, Entry } from '../ledger/types.ts';
import { BlockColumns } from './block-columns.ts';
import type { BreakList } from './breaks.ts';
import type { AuditedAccount, EarlierPort, RawBlock } from './ports.ts';
import type { ReplayTable } from './replay-table.ts';
import type { SettlementTable } from './settlement-table.ts';

/** Accounts or settlements that are asked for together. */
const LOOKUP_SIZE = 1_000;
const NOTHING: AccountTip = { posted: 0n, held: 0n, height: 0, at: 0 };

type SettledBefore = Awaited<ReturnType<EarlierPort['settlementsAt']>>[number];

interface EarlierOptions {
  readonly table: ReplayTable;
  readonly settlements: SettlementTable;
  readonly breaks: BreakList;
  /** Up to which height each book was verified; a book that is missing was not. */
  readonly heights: ReadonlyMap<number, number>;
  /** Up to which height of each book all balances that are kept with accounts are complete. */
  readonly snapshots: ReadonlyMap<number, number>;
}

/**
 * What an increment goes on from, brought into the tables when something first names it: what its accounts hold and how
 * they are, and how its payments are settled, where verification stopped before. All of that is taken from the journal,
 * which was proved up to there, and nothing from what is written behind it.
 */
export class EarlierState {
  readonly #columns = new BlockColumns();
  /** Accounts that do not exist. */
  readonly #absent = new Set<string>();
  readonly #settlementsKnown = new Set<string>();

  constructor(
    readonly port: EarlierPort,
    readonly options: EarlierOptions,
  ) {}

  /** For blocks that are replayed next. */
  async prepare(blocks: readonly RawBlock[]): Promise<void> {
    const accounts = new Set<string>();
    const settlements = new Set<string>();
    for (const raw of blocks) for (const entry of this.#entriesToLookAt(raw)) collect(entry, accounts, settlements);
    const begun = await this.#settlementsBefore(settlements);
    // They may be held on accounts that nothing else names.
    for (const { settlement } of begun) if (settlement.account !== undefined) accounts.add(settlement.account);
    await this.#bringAccounts(accounts);
    const { table, settlements: into } = this.options;
    for (const { book, settlement } of begun) {
      const account = settlement.account === undefined ? -1 : table.find(settlement.account);
      into.begin(settlement, { book, stretch: 0, account });
    }
  }

  /** For commands that are judged next: all of their accounts. */
  async bringAccountsOf(commands: Iterable<Command>): Promise<void> {
    const accounts = new Set<string>();
    for (const { legs, change, follows } of commands) {
      for (const { account } of legs) accounts.add(account);
      for (const account of [change?.account, follows?.origin.account])
        if (account !== undefined) accounts.add(account);
    }
    await this.#bringAccounts(accounts);
  }

  /** Where all accounts are known, only what is not ordinary has more to bring; else everything is looked at. */
  #entriesToLookAt(raw: RawBlock): Iterable<Entry> {
    if (raw.scan(this.#columns, this.options.table)) return [...this.#columns.others.values()];
    const audited = raw.audited();
    return 'unreadable' in audited ? [] : audited.block.entries;
  }

  async #bringAccounts(accounts: ReadonlySet<string>): Promise<void> {
    const { table } = this.options;
    const missing = [...accounts].filter((id) => table.find(id) < 0 && !this.#absent.has(id));
    if (missing.length > 0) await this.#bring(missing);
  }

  async #bring(ids: readonly string[]): Promise<void> {
    const { table, heights, snapshots, breaks } = this.options;
    const byBook = new Map<number, AuditedAccount[]>();
    for (let i = 0; i < ids.length; i += LOOKUP_SIZE) {
      for (const account of await this.port.accountsOf(ids.slice(i, i + LOOKUP_SIZE))) {
        const known = byBook.get(account.book);
        if (known === undefined) byBook.set(account.book, [account]);
        else known.push(account);
      }
    }
    for (const [book, accounts] of byBook) {
      const height = heights.get(book) ?? 0;
      const tips = height === 0 ? new Map<string, AccountTip>() : await this.port.accountsAt(accounts, height);
      for (const account of accounts) {
        table.add(account);
        table.begin(table.find(account.id), tips.get(account.id) ?? NOTHING, snapshots.get(book) ?? 0, breaks);
      }
    }
    for (const id of ids) if (table.find(id) < 0) this.#absent.add(id);
  }

  async #settlementsBefore(ids: ReadonlySet<string>): Promise<SettledBefore[]> {
    const missing = [...ids].filter((id) => !this.#settlementsKnown.has(id));
    for (const id of missing) this.#settlementsKnown.add(id);
    const { heights } = this.options;
    const found: SettledBefore[] = [];
    for (let i = 0; heights.size > 0 && i < missing.length; i += LOOKUP_SIZE) {
      found.push(...(await this.port.settlementsAt(missing.slice(i, i + LOOKUP_SIZE), heights)));
    }
    return found;
  }
}

function collect(entry: Entry, accounts: Set<string>, settlements: Set<string>): void {
  for (const { account } of entry.postings) accounts.add(account);
  if (entry.changed) accounts.add(entry.changed.account);
  const { settlement } = entry;
  if (!settlement) return;
  settlements.add(settlement.id);
  if (settlement.account !== undefined) accounts.add(settlement.account);
}

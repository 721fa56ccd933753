/** What reconciliation needs of the world. `src/mongo` implements these over MongoDB; tests over memory. */
import type { Cause, LedgerItem } from '../matching/types.ts';
import type { CreateTransaction, Page, PageQuery, TransactionView } from '../payments/types.ts';
import type { AsOf, Break, BreakComment, BreakMatter, KeptMatch, Reconciliation, Resolution } from './types.ts';

export interface ItemsQuery {
  /** An account, or the beginning of its id and `*`; null: payments as such, whatever their accounts. */
  readonly account: string | null;
  readonly groupBy: string | null;
  /** First and last day. */
  readonly from: number;
  readonly to: number;
  readonly asOf: AsOf;
}

/** The ledger's movements. */
export interface LedgerItems {
  /** How far each book goes now. */
  tips(): Promise<AsOf>;
  /** Each once, in any order; always the same for the same query. */
  items(query: ItemsQuery): AsyncIterable<readonly LedgerItem[]>;
}

/** Keeps the files of statements, by the id of their reconciliation. */
export interface StatementFiles {
  open(id: string): StatementFileWriter;
  /** Its bytes as they were written. */
  read(id: string): AsyncIterable<Uint8Array>;
  remove(id: string): Promise<void>;
  /** Those that were begun before a time and are of no reconciliation. */
  removeOrphans(before: Date, isKnown: (id: string) => Promise<boolean>): Promise<number>;
}

export interface StatementFileWriter {
  write(chunk: Uint8Array): Promise<void>;
  /** Resolves once all is durable on a majority. */
  finish(): Promise<void>;
  abort(): Promise<void>;
}

export interface ReconciliationFilter {
  readonly source?: string | undefined;
  readonly status?: Reconciliation['status'] | undefined;
}

/** Keeps reconciliations and their matches. Writes are durable on a majority before they answer. */
export interface ReconciliationStore {
  /** Null: it is inserted. Else the one of the same source with the same file, or of the same time of the schedule. */
  insert(reconciliation: Reconciliation): Promise<Reconciliation | null>;
  get(id: string): Promise<Reconciliation | null>;
  findByFile(source: string, sha256: string): Promise<Reconciliation | null>;
  /** Of one that is as `from` says. False: it is not, and stays as it is. */
  update(id: string, change: Partial<Reconciliation>, from?: Reconciliation['status']): Promise<boolean>;
  /** How far the ledger is compared: what was decided first, whoever decides it and however often. */
  decideAsOf(id: string, asOf: AsOf): Promise<AsOf>;
  remove(id: string): Promise<void>;
  /** Newest first; cursors are ids. */
  list(filter: ReconciliationFilter, page: PageQuery): Promise<Page<Reconciliation>>;
  /** Oldest first. */
  running(): Promise<Reconciliation[]>;
  /** Kept once under its number, however often it is saved. `first`: position of the first one, from 1. */
  saveMatches(
    reconciliation: Reconciliation,
    number: number,
    first: number,
    matches: readonly KeptMatch[],
    days: DayRange,
  ): Promise<void>;
  /** Those of a reconciliation by position, counted from 1; cursors are positions as text. */
  matches(id: string, page: PageQuery): Promise<Page<KeptMatch & { readonly position: number }>>;
  /** Ids of items that are matched or whose breaks are resolved, on about these days; not by the reconciliation itself. */
  settledItems(source: string, days: DayRange, except: string): AsyncIterable<readonly string[]>;
}

export interface DayRange {
  readonly from: number;
  readonly to: number;
}

export interface BreakFilter {
  readonly source?: string | undefined;
  readonly status?: Break['status'] | undefined;
  readonly cause?: Cause | undefined;
  /** `null`: nobody. */
  readonly assignee?: string | null | undefined;
  readonly currency?: string | undefined;
  readonly reconciliation?: string | undefined;
  /** Its day is so long ago, or longer. */
  readonly upToDay?: number | undefined;
}

/** How many breaks of a source are of one cause, by how old they are. */
export interface AgeingRow {
  readonly source: string;
  readonly cause: Cause;
  readonly currency: string;
  /** Days since 1970-01-01. */
  readonly day: number;
  readonly count: number;
  /** Minor units. */
  readonly amount: bigint;
}

export interface BreakStore {
  get(id: string): Promise<Break | null>;
  /** The oldest first, by their day and id; cursors are ids. Of a reconciliation: by position. */
  list(filter: BreakFilter, page: PageQuery): Promise<Page<Break>>;
  /**
   * All of a source that were open before a reconciliation: what it has changed is as it was before, and what somebody
   * has resolved since a time, which is when it began, is among them.
   */
  openBefore(source: string, reconciliation: string, since: Date): AsyncIterable<Break>;
  /** Those of them that are there already stay as they are. */
  insert(breaks: readonly Break[]): Promise<void>;
  /** Of an open one. False: it is not open any more. */
  change(id: string, change: Partial<Pick<Break, 'assignee' | 'adjustmentsRejected'>>, at: Date): Promise<boolean>;
  /**
   * By a reconciliation, of an open one that is about the same as `before`: what it was is kept for {@link openBefore}.
   * False: it stays as it is, as the same was done already, or somebody has resolved it.
   */
  revise(before: Break, change: BreakMatter, reconciliation: string, at: Date): Promise<boolean>;
  /** Of an open one. False: it is not open any more. */
  resolve(id: string, resolution: Resolution): Promise<boolean>;
  /** False: there are too many, or there is no such break. */
  comment(id: string, comment: BreakComment): Promise<boolean>;
  ageing(source?: string): Promise<AgeingRow[]>;
}

/** Posts the transaction that adjusts a break: once for each key, however often it is asked for. */
export interface AdjustmentPoster {
  post(key: string, transaction: CreateTransaction): Promise<TransactionView>;
}

/** What is told outside. */
export interface NoticeSink {
  /** Adds them once, however often the same batch is given. */
  append(batch: string, notices: readonly NoticeOf[]): Promise<void>;
}

export type NoticeOf =
  | { readonly type: 'reconciliation.completed'; readonly reconciliation: Reconciliation }
  | { readonly type: 'reconciliation.break_opened' | 'reconciliation.break_resolved'; readonly break: Break };

/** The right to work on a source; one process at a time. */
export interface SourceLease {
  hold(): Promise<boolean>;
  isHeld(): boolean;
  release(): Promise<void>;
}

/** What reconciliation keeps. Amounts are minor units, days are counted since 1970-01-01, times are Dates. */
import type { Compared } from '../matching/comparison.ts';
import type { Cause, LedgerItem, RuleName } from '../matching/types.ts';
import type { StatementFormat } from '../statements/reader.ts';
import type { Direction, StatementInfo } from '../statements/types.ts';
import type { VerifyReport } from '../verification/verify.ts';
import type { SourceConfig } from './source.ts';

/** The file of a statement, as it came. */
export interface StatementFile {
  readonly name: string | null;
  /** Of its bytes, in hex: the same file again is the same reconciliation. */
  readonly sha256: string;
  readonly format: StatementFormat;
  readonly bytes: number;
  readonly lines: number;
  readonly statements: readonly StatementInfo[];
}

/** Up to which height of each book the ledger is compared: fixed, so that whoever goes on finds the same. */
export type AsOf = readonly { readonly book: number; readonly height: number }[];

/** What a statement was compared with, and what came of it. */
export interface External extends Compared {
  /** First and last day that was compared. */
  readonly from: number;
  readonly to: number;
  readonly account: string | null;
  readonly windowDays: number;
  readonly breaksOpened: number;
  readonly openedByCause: Readonly<Record<Cause, number>>;
  /** Of `timing`, as what was expected later has not come. */
  readonly breaksOverdue: number;
  /** Closed by themselves, as what they were about came. */
  readonly breaksResolved: number;
  /** Open breaks of the source after it, by cause. */
  readonly open: Readonly<Record<Cause, number>>;
}

export interface RunProgress {
  readonly phase: 'accounts' | 'journal' | 'claims' | 'ledger' | 'statement' | 'matches' | 'breaks';
  readonly done: number;
  /** Null: the end is not known. */
  readonly of: number | null;
}

/** How far a run has come. Each step may be done again. */
export type Step = 'verify' | 'match' | 'record' | 'tell';

export interface Reconciliation {
  /** `rec_` and a UUIDv7. */
  readonly id: string;
  readonly source: string;
  readonly kind: 'statement' | 'internal';
  /** `succeeded`: it ran to its end, whatever it found. `failed`: it could not, and what it found is not known. */
  readonly status: 'running' | 'succeeded' | 'failed';
  /** Null: it ran to its end, or failed before it had kept anything. */
  readonly step: Step | null;
  readonly startedAt: Date;
  readonly startedBy: string;
  /** The time of the schedule that began it; null: somebody did. */
  readonly scheduledFor: Date | null;
  readonly finishedAt: Date | null;
  /** Nothing broken in the ledger; no break opened but for what may come with the next statement, and none of these overdue. */
  readonly ok: boolean | null;
  /** Why it failed, for people. */
  readonly failure: string | null;
  /** Nothing of it is kept but this. */
  readonly dryRun: boolean;
  /** Is all of the ledger verified? Else what is new, where that is enough. */
  readonly isFull: boolean;
  readonly file: StatementFile | null;
  /** How it is compared, as the settings were when it began. Null: only the ledger itself is looked at. */
  readonly config: (SourceConfig & { readonly from: number; readonly to: number }) | null;
  /** Null: not yet decided. */
  readonly asOf: AsOf | null;
  /** How often somebody began it, or went on with it. */
  readonly attempts: number;
  /** While it runs, how far it is; written now and then. */
  readonly progress: RunProgress | null;
  readonly internal: VerifyReport | null;
  readonly external: External | null;
  /** Of a dry run: the first breaks that it would open. */
  readonly preview: readonly Break[] | null;
}

/** A line of a statement, as a break keeps it. */
export interface BreakLine {
  /** The reconciliation whose file it is in, and where. */
  readonly reconciliation: string;
  readonly line: number;
  readonly day: number;
  readonly amount: bigint;
  readonly currency: string;
  readonly direction: Direction;
  readonly fee: bigint;
  readonly references: readonly string[];
  readonly text: string;
  readonly id: string | null;
  readonly batch: string | null;
  readonly count: number | null;
}

/** An item, and the reconciliation that found it. */
export interface BreakItem extends LedgerItem {
  readonly reconciliation: string;
}

export interface Resolution {
  readonly by: string;
  readonly at: Date;
  /**
   * - `settled`: by itself, as a later statement, or the ledger, has what was missing.
   * - `reason`: somebody says why it may stay. - `adjusted`: somebody posted a transaction for it.
   */
  readonly how: 'settled' | 'reason' | 'adjusted';
  readonly reason: string | null;
  readonly transactionId: string | null;
  /** Of `settled`: the reconciliation that did it, and the rule. */
  readonly reconciliation: string | null;
  readonly rule: RuleName | null;
}

export interface BreakComment {
  readonly by: string;
  readonly at: Date;
  readonly text: string;
}

/** Something that does not agree, until it is settled or somebody resolves it. */
export interface Break {
  /** `brk_` and 32 hex digits, made from what it is about: the same thing is the same break. */
  readonly id: string;
  readonly source: string;
  readonly cause: Cause;
  readonly status: 'open' | 'resolved';
  readonly currency: string;
  /** Minor units, of the line, or of the item where there is none; without sign. */
  readonly amount: bigint;
  /** Of the line, or of the item where there is none: its age is counted from there. */
  readonly day: number;
  /** Of `timing`: the last day on which it may still come. */
  readonly expectedBy: number | null;
  readonly openedAt: Date;
  readonly updatedAt: Date;
  readonly assignee: string | null;
  readonly reference: string | null;
  readonly message: string;
  readonly line: BreakLine | null;
  readonly item: BreakItem | null;
  /** The one that opened it, and its place among those of it, from 1, in the order of the statement. */
  readonly reconciliation: string;
  readonly position: number;
  readonly comments: readonly BreakComment[];
  /** How many transactions that were to adjust it the ledger has rejected. */
  readonly adjustmentsRejected: number;
  readonly resolution: Resolution | null;
}

/** What a break is about, which reconciliations may change, and what follows from it. */
export type BreakMatter = Pick<
  Break,
  'cause' | 'line' | 'item' | 'message' | 'expectedBy' | 'amount' | 'currency' | 'day' | 'reference'
>;

/** A match as it is kept. */
export interface KeptMatch {
  readonly rule: RuleName;
  readonly confidence: number;
  /** Lines of the file. */
  readonly lines: readonly number[];
  /** Of lines that came with earlier statements: the breaks that they were in until then. */
  readonly breaks: readonly string[];
  /** Ids of items. */
  readonly items: readonly string[];
  /** Sum of the lines, before fees; minor units, without sign. */
  readonly amount: bigint;
  readonly currency: string;
}

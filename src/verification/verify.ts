import type { Clock } from '../ledger/ports.ts';
import type { TrialBalanceRow } from '../payments/types.ts';
import type { Break } from './breaks.ts';
import type { AuditPort, EarlierPort, VerificationsPort, VerifyMode } from './ports.ts';
import { Verification } from './verification.ts';

export interface VerifyProgress {
  readonly phase: 'accounts' | 'journal' | 'claims';
  readonly book: number | null;
  /** Accounts, height in the book, or claims, so far. */
  readonly done: number;
  /** The tip of the book; null where the end is not known. */
  readonly of: number | null;
}

export interface VerifyOptions {
  readonly clock?: Clock | undefined;
  /** A claim that is pending for longer is a break. Default 5 minutes. */
  readonly claimAgeMsMax?: number | undefined;
  /** Breaks listed in the report; all are counted. Default 1,000. */
  readonly breaksKept?: number | undefined;
  readonly onProgress?: ((progress: VerifyProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /**
   * Where a run that finds nothing broken is remembered. The blocks that were verified last are to be the same as they were
   * then. Absent: nothing is remembered or compared.
   */
  readonly memory?: VerificationsPort | undefined;
}

export interface VerifiedBook {
  readonly book: number;
  /** The height above which it was replayed; 0: all of it. */
  readonly above: number;
  readonly blocks: number;
  readonly entries: number;
  readonly postings: number;
  readonly height: number;
  /** Stored hash of the highest block, in hex; null when it cannot be read. Write it down: it vouches for all below. */
  readonly hash: string | null;
}

export interface VerifyReport {
  readonly mode: VerifyMode;
  /** When the run began that an increment goes on from; null of a full one. */
  readonly since: Date | null;
  /** No invariant is broken. */
  readonly ok: boolean;
  readonly books: readonly VerifiedBook[];
  /** All of them; of an increment those that it concerns. */
  readonly accounts: number;
  /** All of them; of an increment those that are new or pending, or of its entries. */
  readonly claims: number;
  /** Claims that are not done; too old ones are breaks as well. */
  readonly pending: number;
  /** Null of an increment, which does not look at all balances. */
  readonly trialBalance: readonly TrialBalanceRow[] | null;
  /** The first of them, in the order in which they were found. */
  readonly breaks: readonly Break[];
  readonly breakCount: number;
  readonly durationMs: number;
}

/**
 * Proves the invariants of the ledger over everything stored, in one pass over the journal and one over the claims.
 * Memory grows with the number of accounts, and of payments that were held, captured or refunded. Throws what the port throws, and when `signal` is aborted.
 *
 * The service may go on writing. First the checkpoints of what is written behind are read, then the tips, then the
 * accounts:
 * so whatever is compared stood already when its counterpart was read. A claim is written before its entry, and marked
 * done after it, so an entry's claim is looked up after the entry was read, and a claim's entry after the claim.
 */
export async function verify(port: AuditPort, options: VerifyOptions = {}): Promise<VerifyReport> {
  return await new Verification(port, options, (await options.memory?.load()) ?? null, null).run();
}

/**
 * Proves the invariants over what was added since the run that was remembered last, with what it goes on from taken from
 * the journal up to there, which was proved then; all of it when there is no such run. What that cannot see is in
 * `docs/reconciliation.md`. Memory grows with the accounts that were posted to since.
 */
export async function verifyIncrement(
  port: AuditPort & EarlierPort,
  memory: VerificationsPort,
  options: Omit<VerifyOptions, 'memory'> = {},
): Promise<VerifyReport> {
  const known = await memory.load();
  return await new Verification(port, { ...options, memory }, known, known === null ? null : port).run();
}

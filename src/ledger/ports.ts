/**
 * What the engine needs of the world. `src/mongo` implements these over MongoDB; tests also over memory.
 *
 * Every write is durable on a majority before it answers; every read sees only what is durable on a majority.
 */
import type { Account, AccountTip, Block, Command, Placed, Settlement, StoredBlock } from './types.ts';

/** A block with its final bytes, ready to be appended. */
export interface EncodedBlock {
  readonly block: Block;
  readonly hash: Uint8Array;
  readonly bytes: Uint8Array;
}

/**
 * How an append ended. `landed`: how many of the blocks, from the first, are durable. `ended`:
 * - `done`: all of them.
 * - `taken`: the block at index `landed` found its height taken; it and those after it did not land.
 * - `unknown`: nothing is known of the blocks from index `landed` on.
 */
export interface AppendResult {
  readonly landed: number;
  readonly ended: 'done' | 'taken' | 'unknown';
  readonly cause?: unknown;
}

export interface JournalPort {
  /** Computes bytes and hash; pure. */
  encode(block: Block): EncodedBlock;
  /** Inserts the blocks in order; never throws. */
  append(blocks: readonly EncodedBlock[]): Promise<AppendResult>;
  /** The highest block of a book, or null. */
  tip(book: number): Promise<StoredBlock | null>;
  /** Up to `limit` blocks of a book from a height on, in order. */
  read(book: number, fromHeight: number, limit: number): Promise<StoredBlock[]>;
  /** Where the entries with these ids stand. An id may stand nowhere, or once in each of several books. */
  findEntries(ids: readonly string[]): Promise<Placed[]>;
  /** The latest balances of accounts; an account that was never posted to or changed is missing in the answer. */
  balances(accounts: readonly string[]): Promise<Map<string, AccountTip>>;
  /** How commands are settled, by the latest entries that say so. Those that no entry speaks of are missing. */
  settlements(ids: readonly string[]): Promise<Map<string, Settlement>>;
}

/** A group of commands admitted together. `state` is `done` once each of them has its final entry. */
export interface Claim {
  readonly id: string;
  /** The process that admitted it. */
  readonly owner: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly state: 'pending' | 'done';
  readonly commands: readonly Command[];
}

/** A command that was found under its key, and the claim it belongs to. */
export interface ClaimedCommand {
  readonly claimId: string;
  readonly at: number;
  readonly state: 'pending' | 'done';
  readonly owner: string;
  readonly command: Command;
}

/** `duplicate`: at least one key (or the claim's own id) is known already; nothing of this attempt was written. */
export type ClaimResult = 'inserted' | 'duplicate' | 'unknown';

export interface ClaimsPort {
  /** Never throws. */
  insert(claim: Claim): Promise<ClaimResult>;
  findByKeys(keys: readonly string[]): Promise<ClaimedCommand[]>;
  markDone(claimIds: readonly string[]): Promise<void>;
  /** Ids of the oldest pending claims. */
  pending(limit: number): Promise<string[]>;
  /** Those of the claims that are still pending. */
  loadPending(claimIds: readonly string[]): Promise<Claim[]>;
}

export interface AccountsPort {
  /** Those of the accounts that exist. */
  load(ids: readonly string[]): Promise<Account[]>;
  /** Opens accounts of the ledger itself, unless they are there. */
  ensure(accounts: readonly Account[]): Promise<void>;
  /** Notes, for good, that the journal may hold changes of these accounts: `balances` looks for them from now on. */
  announceChanges(ids: readonly string[]): Promise<void>;
}

/** A command that is claimed and not yet at its end. */
export interface ClaimedWork {
  readonly command: Command;
  /** Milliseconds since the epoch. */
  readonly claimedAt: number;
}

/** Which process appends to which book. It only makes things fast: any process may append, and none is ever wrong. */
export interface LeadershipPort {
  /** False: this process leads all books, for ever. */
  readonly isShared: boolean;
  /** Is it this one? */
  leads(book: number): boolean;
  /**
   * Has a claimed command, which goes on in the book, carried to its end by whoever leads that. Answers what became of
   * it. Rejects when nobody did so in time; it may still be carried on there.
   */
  handOver(book: number, work: ClaimedWork): Promise<Placed>;
}

/** The time, replaceable by tests. Milliseconds since the epoch. */
export interface Clock {
  now(): number;
}

/** Time, timers and chance: all that the engine does not decide by itself, so that a test can. */
export interface Runtime extends Clock {
  /** Milliseconds since some moment. It never goes back or jumps: durations are measured by it. */
  elapsed(): number;
  /** Resolves after so many ms, or as soon as the signal is aborted. Never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Resolves when whatever is ready in this turn of the event loop has run. */
  turn(): Promise<void>;
  /** From 0 to 1, not 1. */
  random(): number;
  /** An id that nobody else has. */
  newId(): string;
}

/** Called at each named point between two steps. Production has none; a test makes one throw or never return. */
export type CrashPoint = (
  name: 'before_claim' | 'after_claim' | 'before_append' | 'after_append' | 'before_done' | 'after_done',
) => void | Promise<void>;

/**
 * Told of what the engine does, as it does it, for metrics and traces. Nothing waits for it, nothing depends on it, and
 * durations are in ms.
 */
export interface EngineObserver {
  /** One attempt to write a claim of these commands has ended. */
  claimed(commands: readonly Command[], result: ClaimResult, durationMs: number): void;
  /** One insert of these blocks has ended. */
  appended(blocks: readonly Block[], result: AppendResult, durationMs: number): void;
}

/** The part of a logger that the engine uses; pino fits. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/**
 * What verification and reconciliation need of the world. `src/mongo` implements these over MongoDB; tests over memory.
 *
 * Every read sees only what is durable on a majority. The service may go on writing meanwhile: {@link verify} asks in
 * an order that makes later writes harmless (see there).
 */
import type { Claim, ClaimedCommand } from '../ledger/ports.ts';
import type { Account, AccountTip, EntryPart, Settlement, StoredBlock } from '../ledger/types.ts';
import type { ViewName } from '../payments/ports.ts';
import type { PaymentView } from '../payments/types.ts';
import type { AccountNumbers, BlockColumns } from './block-columns.ts';

/** The highest block of a book. */
export interface BookTip {
  readonly book: number;
  readonly height: number;
}

/** A block as the journal holds it, and the SHA-256 over its exact bytes with the hash field zeroed. */
export interface AuditedBlock {
  readonly block: StoredBlock;
  readonly recomputedHash: Uint8Array;
  /** Why the database's index does not find the block by its accounts, for people; null: it does. */
  readonly indexFault: string | null;
}

/** A document of the journal as it is stored, not decoded yet. */
export interface RawBlock {
  /** Bytes. */
  readonly size: number;
  /**
   * Reads it into columns, after emptying them. False: it is not wholly in its exact form, its bytes do not hash to its
   * hash, the index does not find it, or it posts to accounts without a number: look at it decoded. Never throws.
   */
  scan(into: BlockColumns, accounts: AccountNumbers): boolean;
  /** Decodes and hashes it; never throws. */
  audited(): AuditedBlock | UnreadableBlock;
}

/** A document of the journal that is no block any more: a field is missing or of the wrong type. */
export interface UnreadableBlock {
  /** Null: not even that can be read. */
  readonly height: number | null;
  /** Why, for people. */
  readonly unreadable: string;
}

/** An account, and the balance that was written behind for it, when there is one. */
export interface AuditedAccount extends Account {
  /** Does it say that the journal may hold changes of it? Without that nobody looks for them. Absent: it is not known. */
  readonly isAnnounced?: boolean;
  readonly snapshot?: { readonly posted: bigint; readonly held: bigint; readonly height: number };
}

/** A row of the `payments` read model, posted or rejected. */
export type PaymentRow = Pick<
  PaymentView,
  | 'transactionId'
  | 'status'
  | 'rejectionReason'
  | 'source'
  | 'destination'
  | 'amount'
  | 'currency'
  | 'reference'
  | 'createdAt'
  | 'capture'
  | 'amountHeld'
  | 'amountCaptured'
  | 'amountRefunded'
  | 'book'
  | 'height'
> & {
  /** Height of the latest entry that it says something about it. */
  readonly settledHeight: number;
};

/** A claim without its commands. */
export type ClaimHead = Pick<ClaimedCommand, 'claimId' | 'at' | 'state'>;

/** What was found to stand just as it was claimed. */
export interface AsClaimed {
  /** Of each block, by index: whole payments and transactions that are all that their keys were claimed for, and just once. */
  readonly same: readonly ReadonlySet<number>[];
  /** Every claim that was compared. */
  readonly claims: readonly ClaimHead[];
}

/** The stored ledger, read in bulk. */
export interface AuditPort {
  /** Up to which height of each book a view is complete; a book it has not begun is missing. */
  checkpoints(view: ViewName): Promise<ReadonlyMap<number, number>>;
  /** The tip of each book that has a block, ascending by book. */
  tips(): Promise<readonly BookTip[]>;
  /** Every account once, in any order. */
  accounts(): AsyncIterable<AuditedAccount>;
  /** The blocks of a book with `fromHeight <= height <= toHeight`, ascending by height. */
  blocks(book: number, fromHeight: number, toHeight: number): AsyncIterable<RawBlock>;
  /**
   * The rows of the read model with `fromHeight <= height <= toHeight`, ascending by height; any order within a height.
   */
  paymentRows(book: number, fromHeight: number, toHeight: number): AsyncIterable<PaymentRow>;
  /** Every claim once, in any order. `since` (ms): only those that are pending, and those of that time and later. */
  claims(since?: number): AsyncIterable<Claim>;
  /** Compares the entries of blocks with their claims, in bulk. What is not told to be the same is to be looked at. */
  asClaimed(blocks: readonly RawBlock[]): Promise<AsClaimed>;
  /** Every command claimed under one of these keys; a key that is claimed twice comes twice. */
  findByKeys(keys: readonly string[]): Promise<readonly ClaimedCommand[]>;
  /** Every place in any book where an entry with one of these ids stands; an id that stands twice comes twice. */
  places(ids: readonly string[]): Promise<readonly EntryPlace[]>;
}

/** What an increment asks of what was verified before: in batches, each answered from an index. */
export interface EarlierPort {
  /** Those of the accounts that exist. */
  accountsOf(ids: readonly string[]): Promise<readonly AuditedAccount[]>;
  /** By the journal: what accounts of one book hold and how they are, at a height. Those with nothing are missing. */
  accountsAt(accounts: readonly AuditedAccount[], height: number): Promise<ReadonlyMap<string, AccountTip>>;
  /** By the journal: how commands are settled at a height of each book. Those of which nothing says so are missing. */
  settlementsAt(
    ids: readonly string[],
    heights: ReadonlyMap<number, number>,
  ): Promise<readonly { readonly book: number; readonly settlement: Settlement }[]>;
  /** The rows of these payments, by their transactions, as far as they are there. */
  paymentRowsOf(transactionIds: readonly string[]): Promise<readonly PaymentRow[]>;
  claimsOf(claimIds: readonly string[]): Promise<readonly Claim[]>;
  /** The idempotency keys of entries, by their ids, as far as they stand. */
  keysOf(ids: readonly string[]): Promise<ReadonlyMap<string, string>>;
}

export type VerifyMode = 'full' | 'incremental';

/** Up to where a book was verified. */
export interface VerifiedTip {
  readonly book: number;
  readonly height: number;
  /** Of the block at that height, in hex: it vouches for all below. */
  readonly hash: string;
  /** Up to which height the list of payments was compared, and the balances kept with accounts: both are written behind. */
  readonly listed: number;
  readonly snapshots: number;
}

/** What a run found to be sound. */
export interface Verified {
  readonly mode: VerifyMode;
  /** When the run began, in milliseconds since the epoch. */
  readonly at: number;
  /** When the latest full run began that found nothing broken. */
  readonly fullAt: number;
  /** When the oldest claim was made that was pending then; `at` if none was. Milliseconds since the epoch. */
  readonly claimsSince: number;
  readonly books: readonly VerifiedTip[];
}

/** Where verification keeps what it found to be sound. */
export interface VerificationsPort {
  /** The latest, durable on a majority; null: there is none. */
  load(): Promise<Verified | null>;
  /** Keeps this as the latest, durable on a majority. */
  save(verified: Verified): Promise<void>;
}

/** Where an entry stands. */
export interface EntryPlace {
  readonly id: string;
  readonly book: number;
  readonly height: number;
  /** Null: it is the whole command. */
  readonly part: EntryPart | null;
  readonly rejected: boolean;
}

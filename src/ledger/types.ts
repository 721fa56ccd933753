/**
 * The words of the ledger. Everything else in the project speaks in these.
 *
 * - **account**: holds one currency, belongs to exactly one book for ever.
 * - **leg**: one signed change that a command asks for. Negative takes from the account, positive gives to it.
 * - **posting**: a leg that happened, with the account's balances *after* it.
 * - **entry**: what became of one command: its balanced postings, or the reason why it was rejected.
 * - **block**: one journal document: the entries written together at one height of one book.
 * - **book**: a totally ordered journal; the unit of ordering and of leadership.
 * - **command**: a request to move money, under an idempotency key.
 * - **claim**: one document that holds a group of commands, their keys and whether they are done.
 *
 * Amounts are `bigint` minor units (cents, øre, yen), never floating point.
 */

/** A signed change that is asked for. `amount` is in minor units of `currency` and never zero. */
export interface Leg {
  readonly account: string;
  readonly amount: bigint;
  /** ISO 4217 code, upper case. */
  readonly currency: string;
}

/** A change that happened. `posted` and `held` are the account's balances after it, in minor units. */
export interface Posting extends Leg {
  readonly posted: bigint;
  readonly held: bigint;
}

/** What the caller wants to remember with a command. Never interpreted. */
export interface Details {
  readonly reference?: string;
  readonly description?: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

/**
 * - `payment`: from one source to one or more destinations; at once, or first a hold that is captured later.
 * - `transaction`: any balanced set of legs.
 * - `capture`: pays some or all of what a payment holds. `cancel`, `expiry`: release what it holds; `expiry` is the
 *   ledger's own, once its time has come.
 * - `refund`: pays some or all of a payment back. `reversal`: takes a transaction back, as a whole.
 * - `account_change`: freezes, unfreezes or closes an account, or sets its limits. It has no legs.
 */
export const COMMAND_KINDS = [
  'payment',
  'transaction',
  'capture',
  'cancel',
  'expiry',
  'refund',
  'reversal',
  'account_change',
] as const;
export type CommandKind = (typeof COMMAND_KINDS)[number];

/**
 * How far an earlier command is settled; amounts in minor units of its currency. Of a transaction, which is only ever
 * reversed as a whole, `captured` is 1 and `refunded` 0 or 1.
 */
export interface Settlement {
  /** Of the command that it is of. */
  readonly id: string;
  /** Whose balance is held; absent where nothing ever was. */
  readonly account?: string;
  /** Authorised, and neither captured nor released. */
  readonly held: bigint;
  readonly captured: bigint;
  readonly refunded: bigint;
  /** From this time on nothing can be captured, in milliseconds since the epoch; absent: there is no such time. */
  readonly expiresAt?: number;
}

/** What a command does about an earlier one. */
export interface Follows {
  /** The book that decides it: where the earlier command is described. */
  readonly book: number;
  /** How much it captures or refunds; 1 for a reversal, 0 for what only releases. */
  readonly amount: bigint;
  /** Of a capture: what is held beyond it is released. */
  readonly isLast?: boolean;
  /** How the earlier command stood at its own end. It counts when no other stands that follows it. */
  readonly origin: Settlement;
}

/** - `frozen`: nothing is taken or held; credits still arrive. - `closed`: empty, and for ever so. */
export const ACCOUNT_STATUSES = ['open', 'frozen', 'closed'] as const;
export type AccountStatus = (typeof ACCOUNT_STATUSES)[number];

/** What may change about an account. */
export interface AccountState {
  readonly status: AccountStatus;
  /** As of {@link Account}. */
  readonly minBalance: bigint | null;
  readonly maxBalance: bigint | null;
}

/** What is asked for; the rest stays as it is. */
export interface AccountChange extends Partial<AccountState> {
  readonly account: string;
}

/** How an account is after a change. */
export interface ChangedAccount extends AccountState {
  readonly account: string;
}

/** A request to move money: all legs together or none. Legs sum to zero per currency, at most one leg an account. */
export interface Command {
  /** `txn_` and a UUIDv7. The entry that decides the command carries the same id. */
  readonly id: string;
  /** Idempotency key, already scoped to its client: `<client>/<key>`. */
  readonly key: string;
  /** Digest of the request: the same key with another fingerprint is misuse. */
  readonly fingerprint: string;
  readonly kind: CommandKind;
  readonly legs: readonly Leg[];
  readonly details: Details;
  /** Only of a payment: its legs are not carried out, but what they take is held until then (`null`: for ever). */
  readonly hold?: { readonly expiresAt: number | null };
  readonly follows?: Follows;
  readonly change?: AccountChange;
  /** Of the request or message that asks for it: for the log, and kept nowhere. */
  readonly requestId?: string;
}

/** Why a command was rejected. Decided in the order of the book, against the balances at that height. */
export const REJECTION_REASONS = [
  'insufficient_funds',
  'balance_limit_exceeded',
  'expired',
  'account_frozen',
  'account_closed',
  'account_not_empty',
  'nothing_held',
  'capture_exceeds_held',
  'authorization_expired',
  'not_expired',
  'refund_exceeds_captured',
  'already_reversed',
] as const;
export type RejectionReason = (typeof REJECTION_REASONS)[number];

export interface Rejection {
  readonly reason: RejectionReason;
  readonly kind: CommandKind;
  /** What was asked for and did not happen. */
  readonly legs: readonly Leg[];
  /** The command that it was to follow. */
  readonly follows?: string;
  /**
   * Of a command over several books: it is that of the home book of what was to be followed, and so counts before those
   * of the others. Entries of before this was written never say so.
   */
  readonly home?: true;
}

/**
 * A command over several books has an entry in each of them, all with its id:
 * - `debit`: what a book gives, decided against its balances. When all debits stand the command is committed.
 * - `credit`: what a book gets, after all debits. It cannot be rejected.
 * - `reversal`: takes a debit back, because another book rejected its own.
 */
export const ENTRY_PARTS = ['debit', 'credit', 'reversal'] as const;
export type EntryPart = (typeof ENTRY_PARTS)[number];

/** The place of an entry in a command over several books. */
export interface Span {
  readonly part: EntryPart;
  /** Books that give, and books that get, ascending. The first that gives is where the whole command is described. */
  readonly debits: readonly number[];
  readonly credits: readonly number[];
  /** The legs of the whole command; only in the debit of the first book. */
  readonly legs?: readonly Leg[];
}

/** What became of a command, or of its part in one book. Immutable once in a block. */
export interface Entry {
  readonly id: string;
  readonly key: string;
  readonly kind: CommandKind | 'rejected';
  /** Absent when all accounts are in one book. */
  readonly span?: Span;
  /**
   * Empty when `kind` is `rejected`, for a change of an account, and where a book only decides that something may be
   * refunded. A hold and its release are postings of amount zero.
   */
  readonly postings: readonly Posting[];
  readonly rejection?: Rejection;
  /** What a payment that is only held will move, or was to. */
  readonly legs?: readonly Leg[];
  /** How the payment or transaction that it is about is settled after it. */
  readonly settlement?: Settlement;
  /** How the account is after it. */
  readonly changed?: ChangedAccount;
  readonly details: Details;
}

/**
 * - `entries`: commands that were decided.
 * - `term`: empty; a process begins to append.
 * - `seal`: empty; takes a height whose append had an unknown outcome, so that the lost block can never land.
 */
export type BlockKind = 'entries' | 'term' | 'seal';

/** One journal document. Immutable: never updated, never deleted. */
export interface Block {
  readonly book: number;
  /** From 1, without a gap. */
  readonly height: number;
  /** Hash of the block below; 32 zero bytes at height 1. */
  readonly prev: Uint8Array;
  readonly term: number;
  /** Milliseconds since the epoch; never less than that of the block below. */
  readonly at: number;
  readonly kind: BlockKind;
  /** How many postings the blocks below it hold. */
  readonly postingsBelow: number;
  readonly entries: readonly Entry[];
}

/** How many postings a block holds. */
export function postingsIn({ entries }: Pick<Block, 'entries'>): number {
  let count = 0;
  for (const { postings } of entries) count += postings.length;
  return count;
}

/** A block as it stands in the journal: with the SHA-256 over its exact bytes (its hash field zeroed). */
export interface StoredBlock extends Block {
  readonly hash: Uint8Array;
}

/** Immutable identity of an account, and what its balance may be unless that was changed since. */
export interface Account {
  readonly id: string;
  readonly book: number;
  readonly currency: string;
  /** Lowest available balance (`posted - held`) that a debit may leave; `null`: no limit. */
  readonly minBalance: bigint | null;
  /** Highest posted balance that a credit may leave; `null`: no limit. */
  readonly maxBalance: bigint | null;
}

/** Where an entry stands. */
export interface Placed {
  readonly entry: Entry;
  readonly book: number;
  readonly height: number;
  /** Milliseconds since the epoch: the time of the block. */
  readonly at: number;
}

/** The answer to a command. `replayed`: the key was known already and this is the first answer again. */
export interface Outcome extends Placed {
  readonly replayed: boolean;
}

/** The latest balances of an account and the height they stand at; height 0: never posted to. */
export interface Balance {
  readonly posted: bigint;
  readonly held: bigint;
  readonly height: number;
  /** Milliseconds since the epoch of the block at `height`; 0 when never posted to. */
  readonly at: number;
}

/** What the journal knows of an account; `state` where it was ever changed. */
export interface AccountTip extends Balance {
  readonly state?: AccountState;
}

/** Legs and postings are limited so that one command always fits a block. */
export const LEGS_MAX = 100;
/** Largest amount of one leg, in minor units: 10^15 - 1. Leaves room for ten thousand such in one 64-bit balance. */
export const AMOUNT_MAX = 999_999_999_999_999n;

/** What verification can find wrong, as one closed list. */
export const BREAK_KINDS = [
  /** A height of the book is missing, or stands twice. */
  'height_gap',
  /** The document is no block any more. */
  'unreadable_block',
  /** The stored hash is not the SHA-256 of the block's bytes. */
  'hash_mismatch',
  /** The block does not name the hash of the block below. */
  'broken_chain',
  /** The block at the height that was verified before is another one than it was then. */
  'replaced_block',
  'time_backwards',
  'term_backwards',
  /** A term or seal block that holds entries. */
  'malformed_block',
  /**
   * An entry that no command can lead to: no postings, an amount of zero that holds and releases nothing, an account
   * twice, a rejection that posts.
   */
  'malformed_entry',
  'unbalanced_entry',
  'unbalanced_book',
  'wrong_running_balance',
  'limit_exceeded',
  /** Something was taken from a frozen account or held on it, or posted to a closed one. */
  'account_not_open',
  /** An account was closed though it was not empty, opened after it was closed, or given limits that it is beyond. */
  'wrong_account_change',
  /** How far a payment or transaction is settled does not follow from how far it was before. */
  'wrong_settlement',
  /** What is held on an account is not what its open payments hold. */
  'unexplained_hold',
  'unknown_account',
  /** The posting stands in another book than its account. */
  'wrong_book',
  'wrong_currency',
  'unknown_rejection_reason',
  'missing_entry',
  'doubled_entry',
  /** A part of a command over several books that must not be there: such as a credit though a debit was rejected. */
  'wrong_part',
  'entry_without_claim',
  /** The entry has other legs, kind or details than the command that was claimed. */
  'entry_differs_from_claim',
  /** Two claimed commands have the same key. */
  'doubled_key',
  'claim_too_old',
  /** What two books have on its way to each other differs, and no command explains it. */
  'transit_mismatch',
  /** An account could not take what was meant for it. */
  'in_suspense',
  'wrong_read_model',
  'wrong_account_snapshot',
] as const;
type BreakKind = (typeof BREAK_KINDS)[number];

/** Where an invariant is broken, and how. `expected` and `actual` are texts for people, as is `message`. */
export interface Break {
  readonly kind: BreakKind;
  readonly book: number | null;
  readonly height: number | null;
  /** Id of the entry. */
  readonly entry: string | null;
  readonly account: string | null;
  readonly expected: string | null;
  readonly actual: string | null;
  readonly message: string;
}

/** A break before its blanks are filled. */
export type BreakFound = Pick<Break, 'kind' | 'message'> & Partial<Break>;

/** Counts every break and keeps the first `capacity`, so that a ruined ledger cannot fill the memory. */
export class BreakList {
  readonly kept: Break[] = [];
  #count = 0;

  constructor(readonly capacity: number) {}

  get count(): number {
    return this.#count;
  }

  add(found: BreakFound): void {
    this.#count++;
    if (this.kept.length >= this.capacity) return;
    const blank = { book: null, height: null, entry: null, account: null, expected: null, actual: null };
    this.kept.push({ ...blank, ...found });
  }
}

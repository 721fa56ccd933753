import type { Clock } from '../ledger/ports.ts';
import type { TrialBalanceRow } from '../payments/types.ts';
import { type Break, BreakList } from './breaks.ts';
import { ClaimsAgainstEntries, EntriesAgainstClaims } from './claim-checks.ts';
import { OriginCheck } from './origin-check.ts';
import type { AuditPort, BookTip } from './ports.ts';
import { ReadModelCheck } from './read-model-check.ts';
import { BookReplay } from './replay.ts';
import { ReplayTable } from './replay-table.ts';
import { SettlementTable } from './settlement-table.ts';
import { SystemAccounts } from './system-accounts.ts';

const BREAKS_KEPT = 1_000;
const CLAIM_AGE_MS_MAX = 300_000;
/** Blocks or claims between two reports of progress. */
const PROGRESS_EVERY = 100;
const ACCOUNTS_EVERY = 10_000;

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
}

interface VerifiedBook {
  readonly book: number;
  readonly blocks: number;
  readonly entries: number;
  readonly postings: number;
  readonly height: number;
  /** Stored hash of the highest block, in hex; null when it cannot be read. Write it down: it vouches for all below. */
  readonly hash: string | null;
}

/** Up to which height of a book what is written behind the journal is complete. */
interface Behind {
  readonly listed: number;
  readonly snapshots: number;
}

export interface VerifyReport {
  /** No invariant is broken. */
  readonly ok: boolean;
  readonly books: readonly VerifiedBook[];
  readonly accounts: number;
  readonly claims: number;
  /** Claims that are not done; too old ones are breaks as well. */
  readonly pending: number;
  readonly trialBalance: readonly TrialBalanceRow[];
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
  return await new Verification(port, options).run();
}

class Verification {
  readonly #clock: Clock;
  readonly #breaks: BreakList;
  readonly #table = new ReplayTable();
  readonly #settlements = new SettlementTable();
  readonly #system = new SystemAccounts();
  /** Books of which nothing is missing. */
  readonly #complete = new Set<number>();
  readonly #bookOf = (account: string) => {
    const slot = this.#table.find(account);
    return slot < 0 ? null : this.#table.book(slot);
  };

  constructor(
    readonly port: AuditPort,
    readonly options: VerifyOptions,
  ) {
    this.#clock = options.clock ?? Date;
    this.#breaks = new BreakList(options.breaksKept ?? BREAKS_KEPT);
  }

  async run(): Promise<VerifyReport> {
    const startedAt = this.#clock.now();
    const listed = await this.port.checkpoints('payments');
    const snapshots = await this.port.checkpoints('balances');
    const tips = await this.port.tips();
    this.#checkCheckpoints('wrong_read_model', 'the list of payments goes', listed, tips);
    this.#checkCheckpoints('wrong_account_snapshot', 'the balances kept with accounts go', snapshots, tips);
    await this.#readAccounts();
    const books: VerifiedBook[] = [];
    for (const tip of tips) {
      const upTo = { listed: listed.get(tip.book) ?? 0, snapshots: snapshots.get(tip.book) ?? 0 };
      books.push(await this.#verifyBook(tip, upTo));
    }
    const replayed = new Map(tips.map(({ book, height }) => [book, height]));
    this.#table.checkSnapshots(replayed, this.#breaks);
    this.#checkSums();
    this.#table.checkHeld(this.#settlements.heldByAccount(), (book) => this.#complete.has(book), this.#breaks);
    const { claims, pending } = await this.#verifyClaims(replayed);
    this.#system.finish(this.#breaks);
    return {
      ok: this.#breaks.count === 0,
      books,
      accounts: this.#table.size,
      claims,
      pending,
      trialBalance: this.#table.trialBalance(),
      breaks: this.#breaks.kept,
      breakCount: this.#breaks.count,
      durationMs: this.#clock.now() - startedAt,
    };
  }

  #checkCheckpoints(
    kind: Break['kind'],
    what: string,
    checkpoints: ReadonlyMap<number, number>,
    tips: readonly BookTip[],
  ): void {
    for (const [book, checkpoint] of checkpoints) {
      const tip = tips.find((one) => one.book === book)?.height ?? 0;
      if (checkpoint <= tip) continue;
      this.#breaks.add({
        kind,
        book,
        height: checkpoint,
        expected: `at most ${tip}`,
        actual: String(checkpoint),
        message: `${what} to height ${checkpoint} of book ${book}, but the journal ends at ${tip}`,
      });
    }
  }

  async #readAccounts(): Promise<void> {
    for await (const account of this.port.accounts()) {
      this.#table.add(account);
      if (this.#table.size % ACCOUNTS_EVERY === 0) this.#step('accounts', null, this.#table.size, null);
    }
  }

  async #verifyBook({ book, height: tip }: BookTip, upTo: Behind): Promise<VerifiedBook> {
    const replay = new BookReplay({
      book,
      table: this.#table,
      breaks: this.#breaks,
      system: this.#system,
      settlements: this.#settlements,
      snapshotsUpTo: upTo.snapshots,
    });
    const claimed = new EntriesAgainstClaims(book, this.port, this.#breaks, this.#bookOf);
    const readModel = new ReadModelCheck(book, upTo.listed, this.port.paymentRows(book, upTo.listed), this.#breaks);
    try {
      for await (const raw of this.port.blocks(book, 0, tip)) {
        replay.take(raw);
        const audited = raw.audited();
        await readModel.take(audited);
        if ('block' in audited) await claimed.take(audited.block, replay.before);
        if (replay.blocks % PROGRESS_EVERY === 0) this.#step('journal', book, replay.height, tip);
      }
      replay.finish(tip);
      if (replay.isComplete) this.#complete.add(book);
      await readModel.finish();
      await claimed.finish();
    } finally {
      await readModel.close();
    }
    this.#step('journal', book, replay.height, tip);
    const { blocks, entries, postings, height, hash } = replay;
    return { book, blocks, entries, postings, height, hash: hash && Buffer.from(hash).toString('hex') };
  }

  #checkSums(): void {
    for (const [book, sums] of this.#table.sumsByBook()) {
      for (const [currency, sum] of sums) {
        if (sum === 0n) continue;
        const message = `the balances of book ${book} sum to ${sum} ${currency}, not to zero`;
        const [expected, actual] = [`0 ${currency}`, `${sum} ${currency}`];
        this.#breaks.add({ kind: 'unbalanced_book', book, expected, actual, message });
      }
    }
  }

  async #verifyClaims(replayed: ReadonlyMap<number, number>): Promise<{ claims: number; pending: number }> {
    const origins = new OriginCheck(this.#settlements, this.#table, this.#breaks);
    const check = new ClaimsAgainstEntries(this.port, this.#breaks, {
      now: this.#clock.now(),
      claimAgeMsMax: this.options.claimAgeMsMax ?? CLAIM_AGE_MS_MAX,
      bookOf: this.#bookOf,
      replayed,
      system: this.#system,
      origins,
    });
    for await (const claim of this.port.claims()) {
      await check.take(claim);
      if (check.claims % PROGRESS_EVERY === 0) this.#step('claims', null, check.claims, null);
    }
    await check.finish();
    origins.finish();
    this.#step('claims', null, check.claims, null);
    return check;
  }

  #step(phase: VerifyProgress['phase'], book: number | null, done: number, of: number | null): void {
    this.options.signal?.throwIfAborted();
    this.options.onProgress?.({ phase, book, done, of });
  }
}

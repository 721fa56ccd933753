import type { Clock } from '../ledger/ports.ts';
import type { StoredBlock } from '../ledger/types.ts';
import { checkAnchor, checkReplaced, heightOf, hexOf, inBatches, reportCut, takeBlock } from './book-verification.ts';
import { type Break, BreakList } from './breaks.ts';
import { ClaimsAgainstEntries, EntriesAgainstClaims, type OnClaims, type Replayed } from './claim-checks.ts';
import { EarlierState } from './earlier-state.ts';
import { OlderClaims } from './older-claims.ts';
import { OriginCheck } from './origin-check.ts';
import type { AuditPort, BookTip, EarlierPort, Verified, VerifiedTip } from './ports.ts';
import { ReadModelCheck } from './read-model-check.ts';
import { BookReplay } from './replay.ts';
import { ReplayTable } from './replay-table.ts';
import { SettlementTable } from './settlement-table.ts';
import { SystemAccounts } from './system-accounts.ts';
import type { VerifiedBook, VerifyOptions, VerifyProgress, VerifyReport } from './verify.ts';

const BREAKS_KEPT = 1_000;
const CLAIM_AGE_MS_MAX = 300_000;
/** Blocks or claims between two reports of progress. */
const PROGRESS_EVERY = 100;
const ACCOUNTS_EVERY = 10_000;
/** A claim may be written later than its time says, and by another clock. */
const CLAIM_LATE_MS_MAX = 600_000;

/** Up to which height of a book what is written behind the journal is complete. */
interface Behind {
  readonly listed: number;
  readonly snapshots: number;
}

/** One run, over everything or over an increment. */
export class Verification {
  readonly #clock: Clock;
  readonly #breaks: BreakList;
  readonly #table = new ReplayTable();
  readonly #settlements = new SettlementTable();
  readonly #system = new SystemAccounts();
  /** Books of which nothing is missing. */
  readonly #complete = new Set<number>();
  /** By book: what the run that was remembered last verified of it. */
  readonly #known: ReadonlyMap<number, VerifiedTip>;
  #earlier: EarlierState | null = null;
  readonly #older: OlderClaims | null;
  readonly #bookOf = (account: string) => {
    const slot = this.#table.find(account);
    return slot < 0 ? null : this.#table.book(slot);
  };

  readonly #onClaims: OnClaims = {
    meet: (found) => this.#older?.meet(found),
    bringAccountsOf: async (commands) => await this.#earlier?.bringAccountsOf(commands),
  };

  /**
   * `known`: the run that was remembered last; null: there is none.
   * `increment`: asked for what was before it; null: everything is verified.
   */
  constructor(
    readonly port: AuditPort,
    readonly options: VerifyOptions,
    readonly known: Verified | null,
    readonly increment: (AuditPort & EarlierPort) | null,
  ) {
    this.#clock = options.clock ?? Date;
    this.#breaks = new BreakList(options.breaksKept ?? BREAKS_KEPT);
    this.#known = new Map(known?.books.map((book) => [book.book, book]));
    this.#older = increment && known && new OlderClaims(increment, known.claimsSince - CLAIM_LATE_MS_MAX);
  }

  async run(): Promise<VerifyReport> {
    const startedAt = this.#clock.now();
    const listed = await this.port.checkpoints('payments');
    const snapshots = await this.port.checkpoints('balances');
    const tips = await this.port.tips();
    this.#checkCheckpoints('wrong_read_model', 'the list of payments goes', listed, tips);
    this.#checkCheckpoints('wrong_account_snapshot', 'the balances kept with accounts go', snapshots, tips);
    this.#checkCuts(tips);
    await this.#beginAccounts(snapshots);
    const books: VerifiedBook[] = [];
    const behind = ({ book }: BookTip) => ({ listed: listed.get(book) ?? 0, snapshots: snapshots.get(book) ?? 0 });
    for (const tip of tips) books.push(await this.#verifyBook(tip, behind(tip)));
    this.#table.checkSnapshots(new Map(tips.map(({ book, height }) => [book, height])), this.#breaks);
    this.#checkSums();
    this.#table.checkHeld(this.#settlements.moreHeldByAccount(), (book) => this.#complete.has(book), this.#breaks);
    const { claims, pending, pendingSince } = await this.#verifyClaims(tips);
    this.#system.finish(this.#breaks);
    const ok = this.#breaks.count === 0;
    if (ok) await this.#remember(startedAt, Math.min(startedAt, pendingSince), books, tips.map(behind));
    return {
      mode: this.#mode,
      since: this.#mode === 'full' ? null : new Date(this.known!.at),
      ok,
      books,
      accounts: this.#table.size,
      claims,
      pending,
      trialBalance: this.increment === null ? this.#table.trialBalance() : null,
      breaks: this.#breaks.kept,
      breakCount: this.#breaks.count,
      durationMs: this.#clock.now() - startedAt,
    };
  }

  get #mode(): Verified['mode'] {
    return this.increment === null ? 'full' : 'incremental';
  }

  async #remember(
    at: number,
    claimsSince: number,
    books: readonly VerifiedBook[],
    behind: readonly Behind[],
  ): Promise<void> {
    const verified = books.map(({ book, height, hash }, i) => ({ book, height, hash: hash!, ...behind[i]! }));
    const fullAt = this.#mode === 'full' ? at : this.known!.fullAt;
    await this.options.memory?.save({ mode: this.#mode, at, fullAt, claimsSince, books: verified });
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

  /** Does each book still reach as far as it was verified? */
  #checkCuts(tips: readonly BookTip[]): void {
    for (const known of this.#known.values()) {
      const tip = tips.find(({ book }) => book === known.book)?.height ?? 0;
      if (tip < known.height) reportCut(known, tip, this.#breaks);
    }
  }

  async #beginAccounts(snapshots: ReadonlyMap<number, number>): Promise<void> {
    if (this.increment !== null) {
      const heights = new Map([...this.#known].map(([book, { height }]) => [book, height]));
      const tables = { table: this.#table, settlements: this.#settlements, breaks: this.#breaks };
      this.#earlier = new EarlierState(this.increment, { ...tables, heights, snapshots });
      return;
    }
    for await (const account of this.port.accounts()) {
      this.#table.add(account);
      if (this.#table.size % ACCOUNTS_EVERY === 0) this.#step('accounts', null, this.#table.size, null);
    }
  }

  /** What of a book is verified is above this. */
  #above(book: number): number {
    return this.increment === null ? 0 : (this.#known.get(book)?.height ?? 0);
  }

  async #verifyBook({ book, height: tip }: BookTip, upTo: Behind): Promise<VerifiedBook> {
    const above = this.#above(book);
    const known = this.#known.get(book);
    // That was reported; nothing can be gone on from.
    if (tip < above) return { book, above, blocks: 0, entries: 0, postings: 0, height: tip, hash: null };
    const listedAbove = above === 0 ? 0 : known!.listed;
    const rowsOf = this.increment?.paymentRowsOf.bind(this.increment);
    const readModel = new ReadModelCheck(
      { book, above: listedAbove, checkpoint: upTo.listed, rowsOf },
      this.port.paymentRows(book, listedAbove + 1, upTo.listed),
      this.#breaks,
    );
    const claimed = new EntriesAgainstClaims(book, this.port, this.#breaks, this.#bookOf, this.#onClaims);
    // Of what is written behind the journal some was not there yet when the blocks were verified.
    const first = above === 0 ? 0 : Math.min(above, listedAbove + 1, known!.snapshots + 1);
    const begun = (block: StoredBlock | null) => this.#replayOf(book, upTo, above, block);
    let replay = above === 0 ? begun(null) : null;
    let height = first - 1;
    try {
      for await (const batch of inBatches(this.port.blocks(book, first, tip))) {
        await this.#earlier?.prepare(batch);
        for (const raw of batch) {
          if (replay === null) {
            const audited = raw.audited();
            height = heightOf(audited) ?? height + 1;
            if (height < above) await readModel.take(audited);
            if (height < above) continue;
            const isAnchor = height === above;
            replay = begun(checkAnchor(known!, isAnchor ? audited : null, this.#breaks));
            if (isAnchor) await readModel.take(audited);
            if (isAnchor) continue;
          }
          await takeBlock(raw, { replay, readModel, claimed });
          if (known && above === 0) checkReplaced(known, replay, this.#breaks);
          if (replay.blocks % PROGRESS_EVERY === 0) this.#step('journal', book, replay.height, tip);
        }
      }
      replay ??= begun(checkAnchor(known!, null, this.#breaks));
      replay.finish(tip);
      if (replay.isComplete) this.#complete.add(book);
      await readModel.finish();
      await claimed.finish();
    } finally {
      await readModel.close();
    }
    this.#step('journal', book, replay.height, tip);
    const { blocks, entries, postings, hash } = replay;
    return { book, above, blocks, entries, postings, height: replay.height, hash: hash && hexOf(hash) };
  }

  /** `above` 0: from the beginning; else from the block at that height, null: which nobody can go on from. */
  #replayOf(book: number, { snapshots }: Behind, above: number, block: StoredBlock | null): BookReplay {
    const tables = { table: this.#table, breaks: this.#breaks, system: this.#system, settlements: this.#settlements };
    const start = above === 0 ? {} : { above: { height: above, block } };
    return new BookReplay({ book, ...tables, snapshotsUpTo: snapshots, ...start });
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

  async #verifyClaims(tips: readonly BookTip[]): Promise<ClaimsAgainstEntries> {
    const origins = new OriginCheck(this.#settlements, this.#table, this.#breaks);
    const replayed = new Map<number, Replayed>(
      tips.map(({ book, height }) => [book, { above: this.#above(book), upTo: height }]),
    );
    const check = new ClaimsAgainstEntries(this.port, this.#breaks, {
      now: this.#clock.now(),
      claimAgeMsMax: this.options.claimAgeMsMax ?? CLAIM_AGE_MS_MAX,
      bookOf: this.#bookOf,
      replayed,
      system: this.#system,
      origins,
      before: this.#earlier ?? undefined,
    });
    for await (const claim of this.#older?.claims() ?? this.port.claims()) {
      await check.take(claim);
      if (check.claims % PROGRESS_EVERY === 0) this.#step('claims', null, check.claims, null);
    }
    await check.finish();
    await this.#older?.answer(origins, [...this.#settlements.unanswered]);
    origins.finish();
    this.#step('claims', null, check.claims, null);
    return check;
  }

  #step(phase: VerifyProgress['phase'], book: number | null, done: number, of: number | null): void {
    this.options.signal?.throwIfAborted();
    this.options.onProgress?.({ phase, book, done, of });
  }
}

import type { Clock } from '../ledger/ports.ts';
import { type Compared, Comparison } from '../matching/comparison.ts';
import { CAUSES, type Cause } from '../matching/types.ts';
import type { VerifyOptions, VerifyProgress, VerifyReport } from '../verification/verify.ts';
import { Carried } from './carried.ts';
import { readerFor } from './importing.ts';
import { Outcome } from './outcome.ts';
import type { BreakStore, LedgerItems, NoticeOf, NoticeSink, ReconciliationStore, StatementFiles } from './ports.ts';
import { SettledIds } from './settled-ids.ts';
import type { Break, External, KeptMatch, Reconciliation, RunProgress, Step } from './types.ts';

const MATCHES_AT_ONCE = 1_000;
const BREAKS_AT_ONCE = 500;
const PREVIEW_MAX = 500;
const PROGRESS_MS = 1_000;
/** More than anybody could work through: the statement is of another account, or of another time. */
const BREAKS_MAX = 100_000;

/** Where a run may be cut off, for tests. */
export type CrashPoint = (at: 'began' | 'verified' | 'compared' | 'matches_kept' | 'breaks_kept' | 'told') => unknown;

export interface RunDeps {
  readonly store: Pick<ReconciliationStore, 'update' | 'decideAsOf' | 'saveMatches' | 'settledItems'>;
  readonly breaks: Pick<BreakStore, 'openBefore' | 'insert' | 'revise' | 'resolve' | 'get' | 'ageing'>;
  readonly files: Pick<StatementFiles, 'read'>;
  readonly items: LedgerItems;
  readonly notices: NoticeSink;
  readonly verify: (options: Pick<VerifyOptions, 'onProgress' | 'signal'>, isFull: boolean) => Promise<VerifyReport>;
  readonly clock: Clock;
  readonly crashPoint?: CrashPoint | undefined;
}

/** The statement has next to nothing to do with the ledger. */
class TooManyBreaks extends Error {
  override readonly name = 'TooManyBreaks';
  constructor(count: number) {
    super(
      `it would open ${count} breaks, and at most ${BREAKS_MAX} are opened at once: ` +
        'is it the statement of this source, and are its accounts those that the source names?',
    );
  }
}

export interface RunOptions {
  readonly onProgress?: ((progress: RunProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What is known of a statement once it was compared. */
interface ComparedStatement {
  readonly comparison: Comparison;
  readonly outcome: Outcome;
  readonly compared: Compared;
}

/**
 * Carries a reconciliation out, or on from wherever somebody else was cut off: the ledger is compared as it was when the
 * first one began, breaks as they were before it, and everything is kept under names that follow from what it is. So
 * whatever is done twice, or by two processes at once, is there once. Throws what keeps it from going on.
 */
export class Run {
  #toldAt = Number.NEGATIVE_INFINITY;

  constructor(
    readonly deps: RunDeps,
    public reconciliation: Reconciliation,
    readonly options: RunOptions = {},
  ) {}

  async execute(): Promise<Reconciliation> {
    const { crashPoint = () => undefined } = this.deps;
    if (this.reconciliation.asOf === null) {
      // Somebody else may decide it at the same time.
      const asOf = await this.deps.store.decideAsOf(this.reconciliation.id, await this.deps.items.tips());
      this.reconciliation = { ...this.reconciliation, asOf };
    }
    await crashPoint('began');
    if (this.reconciliation.internal === null) {
      await this.#step('verify');
      const onProgress = ({ phase, done, of }: VerifyProgress) => this.#progress(phase, done, of);
      await this.#update({
        internal: await this.deps.verify({ ...this.options, onProgress }, this.reconciliation.isFull),
      });
    }
    await crashPoint('verified');
    if (this.reconciliation.kind === 'internal') return await this.#finish(null);
    // Once something may be kept it stays known that it may.
    if (!hasKept(this.reconciliation.step)) await this.#step('match');
    const found = await this.#compare();
    await crashPoint('compared');
    if (this.reconciliation.dryRun) return await this.#finishDry(found);
    const { openedCount } = found.outcome;
    if (openedCount > BREAKS_MAX) throw new TooManyBreaks(openedCount);
    await this.#step('record');
    await this.#keepMatches(found.outcome);
    await crashPoint('matches_kept');
    await this.#keepBreaks(found.outcome);
    await crashPoint('breaks_kept');
    return await this.#finish(await this.#external(found));
  }

  async #compare(): Promise<ComparedStatement> {
    const { reconciliation, deps } = this;
    const { config, file, asOf } = reconciliation;
    const { from, to, windowDays, timingDays, searchDays, rules } = config!;
    const comparison = new Comparison({ from, to, windowDays, timingDays, rules });
    const carried = await Carried.read(deps.breaks, reconciliation);
    const days = { from: from - searchDays, to: to + searchDays };
    const settled = new SettledIds();
    for await (const ids of deps.store.settledItems(reconciliation.source, days, reconciliation.id)) {
      for (const id of ids) settled.add(id);
    }
    carried.addItems(comparison);
    const known = carried.itemIds;
    const query = { account: config!.account ?? null, groupBy: config!.groupBy ?? null, ...days, asOf: asOf! };
    for await (const items of deps.items.items(query)) {
      for (const item of items) if (!known.has(item.id)) comparison.addItem(item, settled.has(item.id));
      this.#progress('ledger', comparison.items.size, null);
    }
    // Before those of breaks: a line is known by its place among them.
    for await (const lines of readerFor(file!.format, config!).read(deps.files.read(reconciliation.id))) {
      for (const line of lines) comparison.addLine(line);
      this.#progress('statement', comparison.lines.size, file!.lines);
    }
    carried.addLines(comparison);
    const compared = comparison.match();
    return { comparison, compared, outcome: new Outcome(comparison, carried, reconciliation) };
  }

  async #keepMatches(outcome: Outcome): Promise<void> {
    let [number, kept] = [0, 0];
    let matches: KeptMatch[] = [];
    let days = { from: Number.POSITIVE_INFINITY, to: Number.NEGATIVE_INFINITY };
    const keep = async () => {
      if (matches.length > 0) await this.deps.store.saveMatches(this.reconciliation, number++, kept + 1, matches, days);
      kept += matches.length;
      matches = [];
      days = { from: Number.POSITIVE_INFINITY, to: Number.NEGATIVE_INFINITY };
      this.#progress('matches', kept, null);
    };
    let sides = 0;
    for (const { match, days: its } of outcome.matches()) {
      matches.push(match);
      days = { from: Math.min(days.from, its.from), to: Math.max(days.to, its.to) };
      sides += match.lines.length + match.items.length;
      // A match of many is as large as many.
      if (matches.length < MATCHES_AT_ONCE && sides < 2 * MATCHES_AT_ONCE) continue;
      await keep();
      sides = 0;
    }
    await keep();
  }

  async #keepBreaks(outcome: Outcome): Promise<void> {
    const { breaks, clock } = this.deps;
    const { id, startedAt } = this.reconciliation;
    let left = outcome.openedCount;
    for (const { before, change } of outcome.changed) {
      const isDone = await breaks.revise(before, change, id, new Date(clock.now()));
      left++;
      if (!isDone) await this.#openLeft(outcome.leftBy((await breaks.get(before.id))!, change, left));
    }
    let opened = 0;
    for (const some of inGroups(outcome.opened(), BREAKS_AT_ONCE)) {
      await breaks.insert(some);
      await this.#tell(
        `opened:${opened}`,
        some.map((one) => ({ type: 'reconciliation.break_opened', break: one })),
      );
      opened += some.length;
      this.#progress('breaks', opened, null);
    }
    let resolved = 0;
    for (const some of inGroups(outcome.settled, BREAKS_AT_ONCE)) {
      const notices: NoticeOf[] = [];
      for (const { id: settled, rule, reason } of some) {
        const resolution = { by: 'kvitt', at: startedAt, how: 'settled', reason, transactionId: null } as const;
        await breaks.resolve(settled, { ...resolution, reconciliation: id, rule });
        const now = await breaks.get(settled);
        // Somebody may have resolved it meanwhile, and told so.
        if (now?.resolution?.reconciliation === id) notices.push({ type: 'reconciliation.break_resolved', break: now });
      }
      await this.#tell(`resolved:${resolved}`, notices);
      resolved += some.length;
    }
  }

  /** Of what somebody has resolved meanwhile: what it was to be about besides. */
  async #openLeft(left: Break | null): Promise<void> {
    if (left === null) return;
    await this.deps.breaks.insert([left]);
    await this.#tell(`left:${left.id}`, [{ type: 'reconciliation.break_opened', break: left }]);
  }

  async #external({ compared, outcome }: ComparedStatement): Promise<External> {
    const { config, source } = this.reconciliation;
    const { from, to, windowDays, account = null } = config!;
    const open = Object.fromEntries(CAUSES.map((cause) => [cause, 0])) as Record<Cause, number>;
    for (const { cause, count } of await this.deps.breaks.ageing(source)) open[cause] += count;
    const {
      openedCount: breaksOpened,
      byCause: openedByCause,
      settledCount: breaksResolved,
      overdueCount: breaksOverdue,
    } = outcome;
    const counts = { breaksOpened, openedByCause, breaksOverdue, breaksResolved, open };
    return { ...compared, from, to, windowDays, account, ...counts };
  }

  async #finishDry(found: ComparedStatement): Promise<Reconciliation> {
    const preview: Break[] = [];
    for (const one of found.outcome.opened()) {
      if (preview.length === PREVIEW_MAX) break;
      preview.push(one);
    }
    return await this.#finish(await this.#external(found), preview);
  }

  async #finish(external: External | null, preview: readonly Break[] | null = null): Promise<Reconciliation> {
    const finished: Reconciliation = {
      ...this.reconciliation,
      status: 'succeeded',
      step: null,
      finishedAt: new Date(this.deps.clock.now()),
      ok: this.reconciliation.internal!.ok && (external === null || agrees(external)),
      external,
      preview,
    };
    if (!finished.dryRun) {
      await this.#step('tell');
      await this.#tell('completed', [{ type: 'reconciliation.completed', reconciliation: finished }]);
      await this.deps.crashPoint?.('told');
    }
    // Last, so that whoever sees it done sees all of it.
    const { status, step, finishedAt, ok } = finished;
    await this.#update({ status, step, finishedAt, ok, external, preview, progress: null });
    return this.reconciliation;
  }

  async #tell(what: string, notices: readonly NoticeOf[]): Promise<void> {
    if (notices.length > 0) await this.deps.notices.append(`${this.reconciliation.id}:${what}`, notices);
  }

  async #step(step: Step): Promise<void> {
    await this.#update({ step });
  }

  async #update(change: Partial<Reconciliation>): Promise<void> {
    this.options.signal?.throwIfAborted();
    await this.deps.store.update(this.reconciliation.id, change);
    this.reconciliation = { ...this.reconciliation, ...change };
  }

  #progress(phase: RunProgress['phase'], done: number, of: number | null): void {
    this.options.signal?.throwIfAborted();
    this.options.onProgress?.({ phase, done, of });
    if (performance.now() - this.#toldAt < PROGRESS_MS) return;
    this.#toldAt = performance.now();
    // For those who look at it from elsewhere: nothing waits for it.
    this.deps.store.update(this.reconciliation.id, { progress: { phase, done, of } }).catch(() => undefined);
  }
}

/** May something of it be kept already, by one that was cut off? */
export function hasKept(step: Step | null): boolean {
  return step === 'record' || step === 'tell';
}

/** Did the statement and the ledger agree, but for what may come with the next one? */
function agrees({ openedByCause, breaksOverdue }: External): boolean {
  return breaksOverdue === 0 && CAUSES.every((cause) => cause === 'timing' || openedByCause[cause] === 0);
}

function* inGroups<T>(all: Iterable<T>, size: number): Generator<T[]> {
  let group: T[] = [];
  for (const one of all) {
    if (group.push(one) < size) continue;
    yield group;
    group = [];
  }
  if (group.length > 0) yield group;
}

import { uuidv7 } from 'uuidv7';
import type { Log } from '../ledger/ports.ts';
import { type Page, type PageQuery, PaymentsError } from '../payments/types.ts';
import type { StatementFormat } from '../statements/reader.ts';
import { begun, type Imported, importStatement } from './importing.ts';
import type { BreakStore, ReconciliationFilter, ReconciliationStore, SourceLease, StatementFiles } from './ports.ts';
import { hasKept, Run, type RunDeps } from './run.ts';
import { DEFAULT_SOURCE, type SourceConfig, type Sources } from './source.ts';
import type { Break, KeptMatch, Reconciliation, RunProgress } from './types.ts';

const ATTEMPTS_MAX = 5;
/** Waiting to run, or running: more are asked to come later. */
const RUNNING_MAX = 100;
/** Longer than anybody takes to send a statement. */
const ORPHANS_AFTER_MS = 86_400_000;
const POLL_MS = 500;
/** After a first failure; twice as long after each further one. */
const RETRY_MS = 1_000;
const RETRY_DOUBLED_MAX = 8;
/** A lease is kept for longer so often. */
const RENEW_MS = 3_000;
const IMPORTS_MAX = 4;
/** Of those that failed, the latest. */
const REFUSED_LOOKED_AT = 100;

/** Too much is being reconciled: nothing was kept; send it again later. */
class ReconciliationsBusy extends Error {
  override readonly name = 'ReconciliationsBusy';
  readonly code = 'reconciliation_running';
}

export interface StartOptions {
  readonly startedBy: string;
  readonly source?: string | undefined;
  readonly format?: StatementFormat | undefined;
  /** Name of the file. */
  readonly name?: string | undefined;
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  readonly windowDays?: number | undefined;
  readonly timingDays?: number | undefined;
  readonly account?: string | undefined;
  readonly dryRun?: boolean | undefined;
  /** Verify all of the ledger, and not only what is new. */
  readonly isFull?: boolean | undefined;
  readonly bytesMax?: number | undefined;
  readonly onProgress?: ((progress: RunProgress) => void) | undefined;
}

export interface ReconciliationsDeps extends RunDeps {
  readonly store: ReconciliationStore;
  readonly breaks: BreakStore;
  readonly files: StatementFiles;
  readonly sources: Sources;
  readonly lease: (source: string) => SourceLease;
  readonly log: Log;
  /**
   * Does one attempt elsewhere, as comparing takes a processor for seconds: {@link Reconciliations.attempt} in another
   * process. Without it this one does it itself.
   */
  readonly elsewhere?: ((id: string, signal: AbortSignal) => Promise<void>) | undefined;
}

/**
 * Reconciliations: each is kept when it is asked for, and carried out in the background by whichever process holds the
 * lease of its source; one that dies is followed by another, which goes on.
 */
export class Reconciliations {
  readonly #closing = new AbortController();
  readonly #working = new Map<string, Promise<void>>();
  /** When one that failed is tried next, by the process's own clock. */
  readonly #waiting = new Map<string, number>();
  /** How often this process has tried what waits. */
  readonly #tries = new Map<string, number>();
  #imports = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(readonly deps: ReconciliationsDeps) {}

  /** Looks for what is to be done, now and again. What a process that was killed has left behind is removed. */
  start(): void {
    this.sweep().catch((err) => this.deps.log.warn({ err }, 'what is left of statements cannot be removed now'));
    this.#timer = setInterval(() => void this.#lookForWork(), POLL_MS);
    void this.#lookForWork();
  }

  /**
   * Reads a statement to its end and keeps it; it is compared in the background. The same file again, for the same
   * source, is answered with what it was the first time; one that failed then is tried anew.
   *
   * @throws StatementError when it is wrong: nothing was kept. @throws UnknownSource @throws ReconciliationsBusy
   */
  async import(input: AsyncIterable<Uint8Array>, options: StartOptions): Promise<Imported> {
    const { source = DEFAULT_SOURCE, windowDays, timingDays, account, onProgress, ...rest } = options;
    const configured = this.deps.sources.get(source);
    const config: SourceConfig = {
      ...configured,
      windowDays: windowDays ?? configured.windowDays,
      timingDays: timingDays ?? configured.timingDays,
      account: account ?? configured.account,
    };
    await this.#makeSureThereIsRoom();
    this.#imports++;
    try {
      const imported = await importStatement(this.deps, input, {
        ...{ ...rest, source, config, signal: this.#closing.signal },
        onProgress: (done) => onProgress?.({ phase: 'statement', done, of: null }),
      });
      return imported.isKnown ? await this.#again(imported, config) : imported;
    } finally {
      this.#imports--;
    }
  }

  /** The ledger against itself. Null: it was begun already for that time of the schedule. */
  async begin(startedBy: string, isFull: boolean, scheduledFor: Date): Promise<Reconciliation | null>;
  async begin(startedBy: string, isFull: boolean): Promise<Reconciliation>;
  async begin(startedBy: string, isFull: boolean, scheduledFor: Date | null = null): Promise<Reconciliation | null> {
    await this.#makeSureThereIsRoom();
    const begins = begun(`rec_${uuidv7()}`, { source: DEFAULT_SOURCE, startedBy, isFull }, this.deps.clock);
    const reconciliation = { ...begins, scheduledFor };
    return (await this.deps.store.insert(reconciliation)) === null ? reconciliation : null;
  }

  /** Keeps that a statement could not be used, for those who did not see it: once, whichever process finds it. */
  async refuse(startedBy: string, source: string, failure: string): Promise<void> {
    const { data } = await this.deps.store.list({ source, status: 'failed' }, { limit: REFUSED_LOOKED_AT });
    if (data.some((one) => one.failure === failure)) return;
    const begins = begun(`rec_${uuidv7()}`, { source, startedBy }, this.deps.clock);
    const finishedAt = new Date(this.deps.clock.now());
    await this.deps.store.insert({ ...begins, kind: 'statement', status: 'failed', step: null, failure, finishedAt });
  }

  /** Waits until it is done, and does it where nobody else does. */
  async carryOut(id: string, onProgress?: (progress: RunProgress) => void): Promise<Reconciliation> {
    for (;;) {
      const found = await this.get(id);
      if (found.status !== 'running') return found;
      await this.#carryOut(found, onProgress);
      this.#closing.signal.throwIfAborted();
      const after = await this.get(id);
      if (after.status !== 'running') return after;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  /** @throws PaymentsError not_found */
  async get(id: string): Promise<Reconciliation> {
    const found = await this.deps.store.get(id);
    if (found === null) throw new PaymentsError('not_found', `there is no reconciliation ${id}`);
    return found;
  }

  list(filter: ReconciliationFilter, page: PageQuery): Promise<Page<Reconciliation>> {
    return this.deps.store.list(filter, page);
  }

  /** Breaks that it has opened, in the order of the statement; of a dry run those that it would have, the first of them. */
  async breaks(id: string, page: PageQuery): Promise<Page<Break>> {
    const { preview, dryRun } = await this.get(id);
    if (!dryRun) return await this.deps.breaks.list({ reconciliation: id }, page);
    const all = preview ?? [];
    const { startingAfter, endingBefore, limit } = page;
    const at = (cursor: string) => all.findIndex((one) => one.id === cursor);
    if (endingBefore !== undefined) {
      const end = Math.max(0, at(endingBefore));
      return { data: all.slice(Math.max(0, end - limit), end), hasMore: end > limit };
    }
    const from = startingAfter === undefined ? 0 : at(startingAfter) + 1;
    return { data: all.slice(from, from + limit), hasMore: all.length > from + limit };
  }

  /** @throws PaymentsError not_found, invalid_cursor */
  async matches(id: string, page: PageQuery): Promise<Page<KeptMatch & { readonly position: number }>> {
    await this.get(id);
    for (const cursor of [page.startingAfter, page.endingBefore]) {
      if (cursor === undefined || /^[1-9]\d{0,8}$/.test(cursor)) continue;
      throw new PaymentsError('invalid_cursor', 'the cursor must be the position of a match');
    }
    return await this.deps.store.matches(id, page);
  }

  /** Forgets a dry run. */
  async forget({ id, dryRun }: Reconciliation): Promise<void> {
    if (!dryRun) throw new RangeError(`reconciliation ${id} is no dry run, and is kept`);
    await this.deps.store.remove(id);
    await this.deps.files.remove(id);
  }

  /** Removes what is left of statements whose import was cut off. */
  async sweep(): Promise<number> {
    const before = new Date(this.deps.clock.now() - ORPHANS_AFTER_MS);
    return await this.deps.files.removeOrphans(before, async (id) => (await this.deps.store.get(id)) !== null);
  }

  /** Ends what this process does; others may go on with it at once. */
  async close(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#closing.abort(new Error('the service is shutting down'));
    await Promise.all(this.#working.values());
  }

  /** `config`: as the settings are now. What has begun to be kept is gone on with as it was begun, or it would differ. */
  async #again({ reconciliation }: Imported, config: SourceConfig): Promise<Imported> {
    const { id, status, step } = reconciliation;
    if (status !== 'failed') return { reconciliation, isKnown: true };
    const { from, to } = reconciliation.config!;
    const { startedAt, ...fresh } = begun(id, reconciliation, this.deps.clock);
    const found = { step: fresh.step, asOf: null, internal: null, config: { ...config, from, to }, startedAt };
    const { attempts, finishedAt, ok, failure } = fresh;
    const anew = { ...(hasKept(step) ? {} : found), status: 'running', attempts, finishedAt, ok, failure } as const;
    await this.deps.store.update(id, anew, 'failed');
    return { reconciliation: await this.get(id), isKnown: true };
  }

  async #makeSureThereIsRoom(): Promise<void> {
    const running = (await this.deps.store.running()).length;
    if (running < RUNNING_MAX && this.#imports < IMPORTS_MAX && !this.#closing.signal.aborted) return;
    throw new ReconciliationsBusy('too much is being reconciled; send it again later');
  }

  async #lookForWork(): Promise<void> {
    try {
      for (const one of await this.deps.store.running()) {
        if (this.#closing.signal.aborted) return;
        if ((this.#waiting.get(one.id) ?? 0) > performance.now() || this.#working.has(one.source)) continue;
        this.#carryOut(one).catch((err) => this.deps.log.warn({ err, reconciliation: one.id }, 'reconciliation waits'));
      }
    } catch (err) {
      this.deps.log.warn({ err }, 'reconciliations that wait cannot be looked for; trying again');
    }
  }

  /** Resolves at once where another process holds the lease of the source, or this one is at work on it already. */
  async #carryOut(reconciliation: Reconciliation, onProgress?: (progress: RunProgress) => void): Promise<void> {
    const { source } = reconciliation;
    const working = this.#working.get(source);
    if (working !== undefined) return await working;
    const work = this.#withLease(source, () => this.#attemptFirst(reconciliation, onProgress));
    this.#working.set(source, work);
    try {
      await work;
    } finally {
      this.#working.delete(source);
    }
  }

  async #withLease(source: string, work: () => Promise<void>): Promise<void> {
    const lease = this.deps.lease(source);
    if (!(await lease.hold())) return;
    const renewal = setInterval(() => void lease.hold().catch(() => undefined), RENEW_MS);
    try {
      await work();
    } finally {
      clearInterval(renewal);
      await lease.release().catch(() => undefined);
    }
  }

  /**
   * The first one of its source that waits. One that has kept some of what it found comes before all others, as what
   * they keep would make it find something else now.
   */
  async #attemptFirst({ id, source }: Reconciliation, onProgress?: (progress: RunProgress) => void): Promise<void> {
    const waiting = (await this.deps.store.running()).filter((one) => one.source === source);
    const first = waiting.find(({ step }) => hasKept(step)) ?? waiting[0];
    if (first === undefined || (this.#waiting.get(first.id) ?? 0) > performance.now()) return;
    await this.#attempt(first, first.id === id ? onProgress : undefined);
  }

  async #attempt({ id, attempts }: Reconciliation, onProgress?: (progress: RunProgress) => void): Promise<void> {
    // One that ended before it had begun has counted none.
    const before = Math.max(attempts, this.#tries.get(id) ?? 0);
    this.#tries.set(id, before + 1);
    this.#waiting.set(id, performance.now() + RETRY_MS * 2 ** Math.min(before, RETRY_DOUBLED_MAX));
    if (this.deps.elsewhere === undefined) await this.attempt(id, onProgress);
    else await this.deps.elsewhere(id, this.#closing.signal);
    if ((await this.get(id)).status === 'running') return;
    this.#waiting.delete(id);
    this.#tries.delete(id);
  }

  /** Carries it out, or on from where it was cut off; without the lease, which is up to the caller. */
  async attempt(id: string, onProgress?: (progress: RunProgress) => void): Promise<void> {
    const { store, log } = this.deps;
    const reconciliation = await this.get(id);
    if (reconciliation.status !== 'running') return;
    const attempts = reconciliation.attempts + 1;
    if (attempts > ATTEMPTS_MAX)
      return await this.#fail(id, `it was begun ${ATTEMPTS_MAX} times, and cut off each time`);
    await store.update(id, { attempts });
    try {
      const options = { signal: this.#closing.signal, onProgress };
      const { status, ok } = await new Run(this.deps, { ...reconciliation, attempts }, options).execute();
      log.info({ reconciliation: id, status, ok }, 'reconciliation ended');
    } catch (err) {
      if (this.#closing.signal.aborted) return;
      log.warn({ err, reconciliation: id, attempts }, 'reconciliation cannot go on');
      if (attempts < ATTEMPTS_MAX && !isFinal(err)) return;
      await this.#fail(id, `it could not run: ${err instanceof Error ? err.message : String(err)}`);
    }
  }

  async #fail(id: string, failure: string): Promise<void> {
    const finishedAt = new Date(this.deps.clock.now());
    const before = await this.get(id);
    // Somebody else has ended it meanwhile.
    if (before.status !== 'running') return;
    const step = hasKept(before.step) ? before.step : null;
    const failed = { status: 'failed', step, progress: null, failure, finishedAt } as const;
    const notice = { type: 'reconciliation.completed', reconciliation: { ...before, ...failed } } as const;
    await this.deps.notices.append(`${id}:failed:${finishedAt.getTime()}`, [notice]);
    await this.deps.store.update(id, failed);
  }
}

/** Would it end the same way again? */
function isFinal(error: unknown): boolean {
  return error instanceof Error && ['StatementError', 'TooManyBreaks', 'RangeError'].includes(error.name);
}

import { assembled, partsById } from './assemble.ts';
import type { Claim, ClaimedWork, ClaimsPort, JournalPort, Log, Runtime } from './ports.ts';
import type { Outcome } from './types.ts';

/** Each may have some MB. */
const CLAIMS_AT_ONCE = 20;
const PENDING_SEEN_MAX = 10_000;

export interface RecoveryReport {
  /** Pending claims that were looked at. */
  claims: number;
  /** Commands whose entry stood already. */
  standing: number;
  /** Commands that were driven on to their entry. */
  drivenOn: number;
  /** Of these, how many ended as `rejected: expired`. */
  expired: number;
  /** Claims marked done. */
  finished: number;
  /** Claims that could not be finished now. */
  failed: number;
}

interface RecoveryDeps {
  readonly claims: ClaimsPort;
  readonly journal: JournalPort;
  readonly runtime: Runtime;
  readonly log: Log;
  readonly limits: { readonly recoverAfterMs: number; readonly recoveryIntervalMs: number };
  /** Is this claim being worked on here? */
  readonly owns: (claimId: string) => boolean;
  readonly driveOn: (works: readonly ClaimedWork[]) => Promise<Outcome>[];
}

/**
 * Finishes the claims of processes that are gone. A claim counts as left behind when it was *seen* pending for some
 * time: the clocks of its owner and of whoever recovers need not agree. Any number of processes may do this at once,
 * also while an owner that was believed dead goes on: entry ids and the append rule let each command stand once.
 */
export class Recovery {
  /** Of everything since the start: for metrics. */
  readonly total: RecoveryReport = { claims: 0, standing: 0, drivenOn: 0, expired: 0, finished: 0, failed: 0 };
  /** When each pending claim was first seen, in ms of `Runtime.elapsed`. */
  readonly #seen = new Map<string, number>();
  #stop: AbortController | null = null;
  #loop: Promise<void> = Promise.resolve();

  constructor(readonly deps: RecoveryDeps) {}

  /** Claims of all processes that were pending at the last look. */
  get pending(): number {
    return this.#seen.size;
  }

  start(): void {
    if (this.#stop) return;
    this.#stop = new AbortController();
    this.#loop = this.#run(this.#stop.signal);
  }

  async stop(): Promise<void> {
    this.#stop?.abort();
    await this.#loop;
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { log, limits, runtime } = this.deps;
    while (!signal.aborted) {
      try {
        await this.#look();
        const report = await this.#finishSeenFor(limits.recoverAfterMs, signal);
        if (report.claims > 0) log.info({ ...report }, 'recovered pending claims');
      } catch (error) {
        log.warn({ err: error }, 'pending claims cannot be read; trying again later');
      }
      await runtime.sleep(limits.recoveryIntervalMs, signal);
    }
  }

  /** Finishes what is pending now and still is so long after. */
  async runOnce(afterMs: number): Promise<RecoveryReport> {
    await this.#look();
    if (this.#seen.size > 0 && afterMs > 0) {
      await this.deps.runtime.sleep(afterMs);
      await this.#look();
    }
    return this.#finishSeenFor(afterMs);
  }

  async #look(): Promise<void> {
    const pending = new Set(await this.deps.claims.pending(PENDING_SEEN_MAX));
    for (const id of this.#seen.keys()) if (!pending.has(id)) this.#seen.delete(id);
    const elapsed = this.deps.runtime.elapsed();
    for (const id of pending) if (!this.#seen.has(id)) this.#seen.set(id, elapsed);
  }

  async #finishSeenFor(ms: number, signal?: AbortSignal): Promise<RecoveryReport> {
    const report: RecoveryReport = { claims: 0, standing: 0, drivenOn: 0, expired: 0, finished: 0, failed: 0 };
    try {
      await this.#finishDue(ms, report, signal);
    } finally {
      for (const name of Object.keys(report) as (keyof RecoveryReport)[]) this.total[name] += report[name];
    }
    return report;
  }

  async #finishDue(ms: number, report: RecoveryReport, signal?: AbortSignal): Promise<void> {
    const before = this.deps.runtime.elapsed() - ms;
    const due = [...this.#seen].filter(([id, at]) => at <= before && !this.deps.owns(id)).map(([id]) => id);
    for (let i = 0; i < due.length; i += CLAIMS_AT_ONCE) {
      for (const claim of await this.deps.claims.loadPending(due.slice(i, i + CLAIMS_AT_ONCE))) {
        if (signal?.aborted) return;
        await this.#finish(claim, report, signal);
      }
    }
  }

  async #finish(claim: Claim, report: RecoveryReport, signal?: AbortSignal): Promise<void> {
    const { claims, journal, driveOn } = this.deps;
    report.claims++;
    const found = await journal.findEntries(claim.commands.map(({ id }) => id));
    if (signal?.aborted) return;
    const byId = partsById(found);
    const missing = claim.commands.filter(({ id }) => !assembled(byId.get(id) ?? []));
    report.standing += claim.commands.length - missing.length;
    const driven = await Promise.allSettled(driveOn(missing.map((command) => ({ command, claimedAt: claim.at }))));
    for (const one of driven) {
      if (one.status === 'rejected') continue;
      report.drivenOn++;
      if (one.value.entry.rejection?.reason === 'expired') report.expired++;
    }
    if (driven.some(({ status }) => status === 'rejected')) {
      report.failed++;
      return;
    }
    await claims.markDone([claim.id]);
    report.finished++;
  }
}

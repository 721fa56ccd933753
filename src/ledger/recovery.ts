import { setTimeout as sleep } from 'node:timers/promises';
import { assembled, partsById } from './assemble.ts';
import type { Claim, ClaimedCommand, ClaimsPort, Clock, JournalPort, Log } from './ports.ts';
import type { Command, Outcome } from './types.ts';

const CLAIMS_AT_ONCE = 20;

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
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: { readonly recoverAfterMs: number; readonly recoveryIntervalMs: number };
  /** Is this claim being worked on here? */
  readonly owns: (claimId: string) => boolean;
  readonly driveOn: (claimed: Pick<ClaimedCommand, 'claimId' | 'at'>, command: Command) => Promise<Outcome>;
}

/**
 * Finishes the claims of processes that are gone. Any number of processes may do this at once, also while an owner
 * that was believed dead goes on: entry ids and the append rule let each command stand once.
 */
export class Recovery {
  #stop: AbortController | null = null;
  #loop: Promise<void> = Promise.resolve();

  constructor(readonly deps: RecoveryDeps) {}

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
    const { log, limits } = this.deps;
    while (!signal.aborted) {
      try {
        const report = await this.runOnce(limits.recoverAfterMs, signal);
        if (report.claims > 0) log.info({ ...report }, 'recovered pending claims');
      } catch (error) {
        log.warn({ err: error }, 'pending claims cannot be read; trying again later');
      }
      await sleep(limits.recoveryIntervalMs, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }

  async runOnce(olderThanMs: number, signal?: AbortSignal): Promise<RecoveryReport> {
    const report: RecoveryReport = { claims: 0, standing: 0, drivenOn: 0, expired: 0, finished: 0, failed: 0 };
    const before = this.deps.clock.now() - olderThanMs;
    const seen = new Set<string>();
    while (!signal?.aborted) {
      // Those that could not be finished are met again, before the others.
      const claims = await this.deps.claims.pending(before, CLAIMS_AT_ONCE + seen.size - report.finished);
      const open = claims.filter(({ id }) => !seen.has(id));
      if (open.length === 0) break;
      for (const claim of open) {
        seen.add(claim.id);
        if (!signal?.aborted && !this.deps.owns(claim.id)) await this.#finish(claim, report, signal);
      }
    }
    return report;
  }

  async #finish(claim: Claim, report: RecoveryReport, signal?: AbortSignal): Promise<void> {
    const { claims, journal, driveOn } = this.deps;
    report.claims++;
    const found = await journal.findEntries(claim.commands.map(({ id }) => id));
    if (signal?.aborted) return;
    const byId = partsById(found);
    const missing = claim.commands.filter(({ id }) => !assembled(byId.get(id) ?? []));
    report.standing += claim.commands.length - missing.length;
    const driven = await Promise.allSettled(
      missing.map((command) => driveOn({ claimId: claim.id, at: claim.at }, command)),
    );
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

import type { ClaimsPort, CrashPoint, Log, Runtime } from './ports.ts';
import type { OpenClaim, Task } from './task.ts';

const FLUSH_MS = 200;
const FLUSH_CLAIMS_MAX = 1000;

interface FinisherDeps {
  readonly claims: ClaimsPort;
  readonly log: Log;
  readonly runtime: Runtime;
  readonly crashPoint: CrashPoint;
}

/**
 * Marks claims done once each of their commands has its entry: in batches, some time later. Nobody waits for it; a
 * mark that gets lost is made by recovery.
 */
export class Finisher {
  readonly #open = new Set<string>();
  readonly #stop = new AbortController();
  #done: string[] = [];
  #flushing: Promise<void> | null = null;
  finished = 0;

  constructor(readonly deps: FinisherDeps) {}

  /** Watches a claim of this process. */
  open(claimId: string, tasks: readonly Task[]): void {
    const open = tasks.filter((task) => task.state !== 'settled');
    const claim: OpenClaim = { id: claimId, left: open.length };
    this.#open.add(claimId);
    for (const task of open) task.claim = claim;
    if (open.length === 0) this.#finish(claimId);
  }

  isOpen(claimId: string): boolean {
    return this.#open.has(claimId);
  }

  settled(task: Task): void {
    const { claim } = task;
    task.claim = null;
    if (claim !== null && --claim.left === 0) this.#finish(claim.id);
  }

  /** Marks at once what is still to be marked. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#flushing;
  }

  #finish(claimId: string): void {
    this.#done.push(claimId);
    this.#flushing ??= this.#flushLater();
  }

  async #flushLater(): Promise<void> {
    while (this.#done.length > 0) {
      await this.deps.runtime.sleep(FLUSH_MS, this.#stop.signal);
      await this.#flush();
    }
    // In the same turn in which nothing was left: whoever comes next begins a new run.
    this.#flushing = null;
  }

  async #flush(): Promise<void> {
    while (this.#done.length > 0) {
      const ids = this.#done.splice(0, FLUSH_CLAIMS_MAX);
      try {
        await this.deps.crashPoint('before_done');
        await this.deps.claims.markDone(ids);
        await this.deps.crashPoint('after_done');
        this.finished += ids.length;
      } catch (error) {
        this.deps.log.warn({ err: error, claims: ids.length }, 'claims could not be marked done; recovery will do it');
      }
      for (const id of ids) this.#open.delete(id);
    }
  }
}

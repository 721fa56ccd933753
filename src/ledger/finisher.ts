import type { ClaimsPort, CrashPoint, Log } from './ports.ts';
import type { Task } from './task.ts';

const FLUSH_MS = 200;
const FLUSH_CLAIMS_MAX = 1000;

/**
 * Marks claims done once each of their commands has its entry: in batches, some time later. Nobody waits for it; a
 * mark that gets lost is made by recovery.
 */
export class Finisher {
  readonly #open = new Map<string, { left: number }>();
  readonly #claimOf = new WeakMap<Task, string>();
  #done: string[] = [];
  #timer: NodeJS.Timeout | null = null;
  #flushing: Promise<void> = Promise.resolve();
  finished = 0;

  constructor(readonly deps: { readonly claims: ClaimsPort; readonly log: Log; readonly crashPoint: CrashPoint }) {}

  /** Watches a claim of this process. */
  open(claimId: string, tasks: readonly Task[]): void {
    const open = tasks.filter((task) => task.state !== 'settled');
    this.#open.set(claimId, { left: open.length });
    for (const task of open) this.#claimOf.set(task, claimId);
    if (open.length === 0) this.#finish(claimId);
  }

  isOpen(claimId: string): boolean {
    return this.#open.has(claimId);
  }

  settled(task: Task): void {
    const claimId = this.#claimOf.get(task);
    const claim = claimId === undefined ? undefined : this.#open.get(claimId);
    if (claimId !== undefined && claim !== undefined && --claim.left === 0) this.#finish(claimId);
  }

  #finish(claimId: string): void {
    this.#done.push(claimId);
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.#flushing = this.#flush();
    }, FLUSH_MS);
  }

  async stop(): Promise<void> {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    await this.#flushing;
    await this.#flush();
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

import type { AccountLoader } from './account-loader.ts';
import { concerned, concernedTasks } from './concerned.ts';
import { LedgerError } from './errors.ts';
import type { Claim, ClaimedCommand, ClaimsPort, CrashPoint, EngineObserver, Log, Runtime } from './ports.ts';
import { Backoff } from './retry.ts';
import type { Rounds } from './rounds.ts';
import type { Task } from './task.ts';
import type { Command } from './types.ts';

export interface AdmissionLimits {
  /** Commands one claim holds at most. */
  readonly claimCommandsMax: number;
  /** Estimated bytes one claim holds at most. */
  readonly claimBytesMax: number;
  /** How long the outcome of a claim is pursued before its callers are told that it is unknown. */
  readonly claimPatienceMs: number;
}

export interface AdmissionDeps {
  readonly owner: string;
  readonly claims: ClaimsPort;
  readonly loader: AccountLoader;
  readonly rounds: Rounds;
  readonly runtime: Runtime;
  readonly log: Log;
  readonly crashPoint: CrashPoint;
  readonly observer: EngineObserver;
  readonly limits: AdmissionLimits;
  /** The tasks' claim is durable. */
  readonly onClaimed: (claimId: string, tasks: readonly Task[]) => void;
  /** The tasks' keys were known already; each is given with what stands under its key. */
  readonly onKnown: (known: readonly KnownTask[]) => void;
  /** Ends a task without an outcome. */
  readonly refuse: (task: Task, error: LedgerError) => void;
}

export interface KnownTask {
  readonly task: Task;
  readonly claimed: ClaimedCommand;
}

/**
 * Admits commands in groups, one group in flight: whoever arrives meanwhile forms the next. A group is one claim
 * document. While a round is being written nothing is claimed: a majority write costs the same whatever it holds, so that
 * fewer and larger ones carry more than claims and rounds that overlap.
 */
export class Admission {
  #queue: Task[] = [];
  #running: Promise<void> | null = null;
  #stopped = false;

  constructor(readonly deps: AdmissionDeps) {}

  /** Commands not yet in a claim. */
  get waiting(): number {
    return this.#queue.length;
  }

  push(task: Task): void {
    this.#queue.push(task);
    this.#running ??= this.#run();
  }

  /** Lets the group in flight end and begins no other. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    try {
      // Whoever arrives in this turn of the event loop belongs to the same group.
      await this.deps.runtime.turn();
      while (this.#queue.length > 0 && !this.#stopped) {
        await this.deps.rounds.roundEnd();
        // Those whose callers were answered by that round, and come again at once, too.
        await this.deps.runtime.turn();
        if (!this.#stopped) await this.#admit(this.#take());
      }
    } finally {
      // In the same turn in which the queue was found empty: whoever comes next begins a new run.
      this.#running = null;
    }
  }

  #take(): Task[] {
    const { claimCommandsMax, claimBytesMax } = this.deps.limits;
    let bytes = 0;
    let count = 0;
    for (const task of this.#queue) {
      bytes += task.bytes;
      if (count === claimCommandsMax || (count > 0 && bytes > claimBytesMax)) break;
      count++;
    }
    // Those that were given up while they waited are settled.
    return this.#queue.splice(0, count).filter((task) => task.state === 'queued');
  }

  async #admit(group: Task[]): Promise<void> {
    const { loader, refuse, log } = this.deps;
    let tasks = group;
    try {
      const misfits = await loader.identify(group);
      for (const [task, error] of misfits) refuse(task, error);
      tasks = group.filter((task) => task.state === 'queued');
    } catch (error) {
      log.warn({ err: error, ...concernedTasks(group) }, 'accounts cannot be read; the commands are refused');
      for (const task of group) refuse(task, unavailable(error));
      return;
    }
    for (let open = tasks; open.length > 0; ) open = await this.#claim(open);
  }

  /** Claims the tasks; answers those that are still to be claimed because others of the group were known already. */
  async #claim(tasks: Task[]): Promise<Task[]> {
    const { rounds, loader, owner, runtime, crashPoint, onClaimed } = this.deps;
    const commands = tasks.map((task) => task.command);
    const claim: Claim = { id: runtime.newId(), owner, at: runtime.now(), state: 'pending', commands };
    await crashPoint('before_claim');
    for (const task of tasks) {
      task.state = 'claiming';
      task.claimedAt = claim.at;
    }
    const prefetched = loader.load(tasks, (book) => rounds.isOpen(book)).catch(() => undefined);
    const result = await this.#insert(claim);
    await crashPoint('after_claim');
    if (result === 'inserted') {
      // Another process may have driven some of them on already.
      for (const task of tasks) if (task.state !== 'settled') task.state = 'claimed';
      onClaimed(claim.id, tasks);
      await prefetched;
      rounds.push(tasks);
      return [];
    }
    if (result === 'unknown') {
      for (const task of tasks) this.deps.refuse(task, outcomeUnknown());
      return [];
    }
    return this.#withoutKnown(tasks);
  }

  /**
   * Inserts the claim, pursuing an unknown outcome by inserting the very same claim again: if the first attempt went
   * in, the second finds itself.
   */
  async #insert(claim: Claim): Promise<'inserted' | 'duplicate' | 'unknown'> {
    const { claims, runtime, limits, observer } = this.deps;
    const until = runtime.elapsed() + limits.claimPatienceMs;
    const backoff = new Backoff(runtime, 20, 1000);
    for (let uncertain = false; ; uncertain = true) {
      const began = runtime.elapsed();
      const result = await claims.insert(claim);
      observer.claimed(claim.commands, result, runtime.elapsed() - began);
      if (result === 'inserted') return 'inserted';
      if (result === 'duplicate') {
        if (!uncertain) return 'duplicate';
        const found = await this.#find(claim.commands, until);
        if (found === null) return 'unknown';
        return found.some(({ claimId }) => claimId === claim.id) ? 'inserted' : 'duplicate';
      }
      if (this.#stopped || runtime.elapsed() >= until) return 'unknown';
      await backoff.wait();
    }
  }

  async #withoutKnown(tasks: Task[]): Promise<Task[]> {
    const { runtime, limits, onKnown, refuse } = this.deps;
    const commands = tasks.map((task) => task.command);
    const found = await this.#find(commands, runtime.elapsed() + limits.claimPatienceMs);
    if (found === null) {
      // Nothing of this claim was written, but some of its keys are those of commands that may well have happened.
      for (const task of tasks) refuse(task, outcomeUnknown());
      return [];
    }
    const byKey = new Map(found.map((claimed) => [claimed.command.key, claimed]));
    const known: KnownTask[] = [];
    const open: Task[] = [];
    for (const task of tasks) {
      const claimed = byKey.get(task.command.key);
      if (claimed) known.push({ task, claimed });
      else open.push(task);
    }
    for (const task of open) task.state = 'queued';
    onKnown(known);
    return open;
  }

  /** What stands under the keys of commands, of which at least one is taken; null: it could not be read in time. */
  async #find(commands: readonly Command[], until: number): Promise<ClaimedCommand[] | null> {
    const { claims, runtime, log } = this.deps;
    const backoff = new Backoff(runtime, 20, 1000);
    for (;;) {
      try {
        const found = await claims.findByKeys(commands.map(({ key }) => key));
        if (found.length > 0) return found;
        log.warn(concerned(commands), 'a key is taken by a claim that cannot be seen yet; trying again');
      } catch (error) {
        log.warn({ err: error, ...concerned(commands) }, 'claims cannot be read; trying again');
      }
      if (this.#stopped || runtime.elapsed() >= until) return null;
      await backoff.wait();
    }
  }
}

function unavailable(cause: unknown): LedgerError {
  const message = 'the ledger cannot reach its database; nothing was written, send it again';
  return new LedgerError('unavailable', message, {}, { cause });
}

export function outcomeUnknown(): LedgerError {
  const message =
    'the outcome is not known yet and will be settled; send the same request with the same key to learn it';
  return new LedgerError('outcome_unknown', message);
}

import type { AccountLoader } from './account-loader.ts';
import { type KnownTask, outcomeUnknown } from './admission.ts';
import { assembled, partsById } from './assemble.ts';
import { LedgerError } from './errors.ts';
import type { InFlight } from './in-flight.ts';
import type { JournalPort, Log, Runtime } from './ports.ts';
import type { Rounds } from './rounds.ts';
import { Task } from './task.ts';
import type { Command, Outcome, Placed } from './types.ts';

/** How long the owner of a pending claim is left alone before its command is driven on from here. */
const OWNER_PATIENCE_MS = 300;

interface KnownKeysDeps {
  readonly journal: JournalPort;
  readonly inFlight: InFlight;
  readonly loader: AccountLoader;
  readonly rounds: Rounds;
  readonly runtime: Runtime;
  readonly log: Log;
  readonly limits: { readonly callerPatienceMs: number; readonly expireAfterMs: number };
  readonly refuse: (task: Task, error: LedgerError) => void;
  /** Takes in an entry of the journal. */
  readonly stand: (placed: Placed) => void;
}

/**
 * Answers commands whose key was claimed before: with the entry that stands, by joining the command when it is still
 * running here, or by driving it on when its owner does not.
 */
export class KnownKeys {
  constructor(readonly deps: KnownKeysDeps) {}

  /** Never rejects: each task is answered, refused or joined to another. */
  async answer(known: readonly KnownTask[]): Promise<void> {
    const { refuse, log } = this.deps;
    const same = known.filter(({ task, claimed }) => {
      if (task.command.fingerprint === claimed.command.fingerprint) return true;
      const message = 'this idempotency key was used before, with another request';
      refuse(task, new LedgerError('idempotency_key_reused', message));
      return false;
    });
    try {
      const waiting = await this.#answerStanding(same);
      const pending = waiting.filter((one) => !this.#join(one));
      if (pending.length === 0) return;
      await this.deps.runtime.sleep(OWNER_PATIENCE_MS);
      for (const one of await this.#answerStanding(pending)) this.#takeOver(one);
    } catch (error) {
      log.warn({ err: error }, 'the outcome of a known key cannot be read');
      for (const { task } of same) if (task.state !== 'settled') refuse(task, outcomeUnknown());
    }
  }

  /** Drives a command on that was claimed at a time, until its entry stands; resolves with the outcome. */
  async driveOn(command: Command, claimedAt: number): Promise<Outcome> {
    return this.#adopt(command, claimedAt).watch();
  }

  /** Answers those that stand; returns the others. */
  async #answerStanding(known: readonly KnownTask[]): Promise<KnownTask[]> {
    if (known.length === 0) return [];
    const found = await this.deps.journal.findEntries(known.map(({ claimed }) => claimed.command.id));
    const byId = partsById(found);
    return known.filter(({ task, claimed }) => {
      const outcome = assembled(byId.get(claimed.command.id) ?? []);
      if (!outcome) return true;
      task.answer(outcome, true);
      this.#end(task);
      return false;
    });
  }

  #join({ task, claimed }: KnownTask): boolean {
    const running = this.deps.inFlight.byId(claimed.command.id);
    // It is this task itself when its command came again under the id it was claimed with.
    if (!running || running === task) return false;
    task.moveWaitersTo(running);
    this.#end(task);
    return true;
  }

  #takeOver(known: KnownTask): void {
    if (this.#join(known)) return;
    if (known.claimed.state === 'done') {
      // Its entry stands and was not seen: decided again it would stand twice.
      this.deps.log.error({ id: known.claimed.command.id }, 'a command that is done has no entry in the journal');
      this.#end(known.task);
      return;
    }
    // No longer in flight as what it was: the adopted command may have the same id.
    this.deps.inFlight.remove(known.task);
    const adopted = this.#adopt(known.claimed.command, known.claimed.at);
    known.task.moveWaitersTo(adopted);
    this.#end(known.task);
  }

  #end(task: Task): void {
    // Callers that have been answered or moved are not concerned.
    this.deps.refuse(task, outcomeUnknown());
  }

  /** A task for a command that was claimed elsewhere or in an earlier life, and may already stand. */
  #adopt(command: Command, claimedAt: number): Task {
    const { inFlight, runtime, limits } = this.deps;
    const running = inFlight.byId(command.id);
    if (running) return running;
    const elapsed = runtime.elapsed();
    const ageMs = Math.max(0, runtime.now() - claimedAt);
    const task = new Task(command, elapsed + limits.callerPatienceMs, elapsed + limits.expireAfterMs - ageMs);
    task.state = 'claimed';
    inFlight.add(task);
    void this.#drive(task);
    return task;
  }

  /**
   * The task is registered before the journal is asked for its id, so an entry is seen either in the answer or, when
   * it lands later, by whoever reads that block. Only then may it be decided here.
   */
  async #drive(task: Task): Promise<void> {
    const { journal, loader, rounds, refuse, stand, log } = this.deps;
    try {
      const misfits = await loader.identify([task]);
      const misfit = misfits.get(task);
      if (misfit) return refuse(task, misfit);
      for (const placed of await journal.findEntries([task.command.id])) stand(placed);
      if (task.state !== 'settled') rounds.push([task]);
    } catch (error) {
      log.warn({ err: error, id: task.command.id }, 'a pending command cannot be driven on now');
      refuse(task, outcomeUnknown());
    }
  }
}

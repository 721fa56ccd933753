import type { AccountLoader } from './account-loader.ts';
import { type KnownTask, outcomeUnknown } from './admission.ts';
import { assembled, partsById } from './assemble.ts';
import { concernedTasks } from './concerned.ts';
import { LedgerError } from './errors.ts';
import type { InFlight } from './in-flight.ts';
import type { ClaimedWork, JournalPort, Log, Runtime } from './ports.ts';
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
      const tasks = same.map(({ task }) => task);
      log.warn({ err: error, ...concernedTasks(tasks) }, 'the outcome of a known key cannot be read');
      for (const task of tasks) if (task.state !== 'settled') refuse(task, outcomeUnknown());
    }
  }

  /** Drives commands on that were claimed elsewhere, until their entries stand; each promise is that of an outcome. */
  driveOn(works: readonly ClaimedWork[]): Promise<Outcome>[] {
    const adopted: Task[] = [];
    const outcomes = works.map(({ command, claimedAt }) => this.#adopt(command, claimedAt, adopted).watch());
    if (adopted.length > 0) void this.#drive(adopted);
    return outcomes;
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
      const fields = { id: known.claimed.command.id, ...concernedTasks([known.task]) };
      this.deps.log.error(fields, 'a command that is done has no entry in the journal');
      this.#end(known.task);
      return;
    }
    // No longer in flight as what it was: the adopted command may have the same id.
    this.deps.inFlight.remove(known.task);
    const toDrive: Task[] = [];
    const adopted = this.#adopt(known.claimed.command, known.claimed.at, toDrive);
    known.task.moveWaitersTo(adopted);
    this.#end(known.task);
    if (toDrive.length > 0) void this.#drive(toDrive);
  }

  #end(task: Task): void {
    // Callers that have been answered or moved are not concerned.
    this.deps.refuse(task, outcomeUnknown());
  }

  /**
   * A task for a command that was claimed elsewhere or in an earlier life, and may already stand.
   *
   * @param toDrive It is added here if nobody drives it on yet.
   */
  #adopt(command: Command, claimedAt: number, toDrive: Task[]): Task {
    const { inFlight, runtime, limits } = this.deps;
    const running = inFlight.byId(command.id);
    if (running) {
      // It comes back from the process it was handed over to, or one behind that: the next part of it is ours.
      if (running.isHandedOver) {
        running.handOvers++;
        toDrive.push(running);
      }
      return running;
    }
    const elapsed = runtime.elapsed();
    const ageMs = Math.max(0, runtime.now() - claimedAt);
    const task = new Task(command, elapsed + limits.callerPatienceMs, elapsed + limits.expireAfterMs - ageMs);
    task.state = 'claimed';
    task.claimedAt = claimedAt;
    inFlight.add(task);
    toDrive.push(task);
    return task;
  }

  /**
   * The tasks are registered before the journal is asked for their ids, so an entry is seen either in the answer or,
   * when it lands later, by whoever reads that block. Only then may they be decided here.
   */
  async #drive(tasks: readonly Task[]): Promise<void> {
    const { journal, loader, rounds, refuse, stand, log } = this.deps;
    try {
      // One that came back was identified before.
      const misfits = await loader.identify(tasks.filter(({ progress, state }) => !progress && state !== 'settled'));
      for (const [task, misfit] of misfits) refuse(task, misfit);
      const open = () => tasks.filter(({ state }) => state !== 'settled');
      for (const placed of await journal.findEntries(open().map(({ command }) => command.id))) stand(placed);
      rounds.push(open());
    } catch (error) {
      log.warn({ err: error, ...concernedTasks(tasks) }, 'pending commands cannot be driven on now');
      for (const task of tasks) if (task.state !== 'settled') refuse(task, outcomeUnknown());
    }
  }
}

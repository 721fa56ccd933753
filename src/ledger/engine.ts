import { AccountLoader } from './account-loader.ts';
import { AccountTable } from './account-table.ts';
import { Admission, type AdmissionLimits, outcomeUnknown } from './admission.ts';
import { checkCommand, estimatedBytes } from './command.ts';
import { concernedTasks } from './concerned.ts';
import { LedgerError } from './errors.ts';
import { Finisher } from './finisher.ts';
import { InFlight } from './in-flight.ts';
import { KnownKeys } from './known-keys.ts';
import type { Ledger } from './ledger.ts';
import { Observers } from './observers.ts';
import type {
  AccountsPort,
  ClaimedWork,
  ClaimsPort,
  CrashPoint,
  EngineObserver,
  JournalPort,
  LeadershipPort,
  Log,
  Runtime,
} from './ports.ts';
import { RecentOutcomes } from './recent-outcomes.ts';
import { Recovery, type RecoveryReport } from './recovery.ts';
import { type RoundLimits, Rounds } from './rounds.ts';
import { systemRuntime } from './runtime.ts';
import { Task } from './task.ts';
import type { Command, Outcome, Placed } from './types.ts';

export interface EngineLimits extends AdmissionLimits, RoundLimits {
  readonly inFlightCommandsMax: number;
  readonly inFlightBytesMax: number;
  readonly accountsInMemoryMax: number;
  readonly recentOutcomesMax: number;
  /** Their estimated bytes. */
  readonly recentOutcomesBytesMax: number;
  /** How long a caller waits at most. Then it is told that the outcome is unknown, or that nothing was written. */
  readonly callerPatienceMs: number;
  /** A claim that was seen pending for so long is driven on by whoever sees it. */
  readonly recoverAfterMs: number;
  /** A command that stands nowhere, is older than this and is asked for by nobody ends as `rejected: expired`. */
  readonly expireAfterMs: number;
  readonly recoveryIntervalMs: number;
}

const DEFAULT_LIMITS: EngineLimits = {
  claimCommandsMax: 4000,
  claimBytesMax: 8 << 20,
  claimPatienceMs: 15_000,
  blockEntriesMax: 1000,
  blockBytesMax: 4 << 20,
  roundCommandsMax: 8000,
  roundBytesMax: 12 << 20,
  inFlightCommandsMax: 20_000,
  inFlightBytesMax: 64 << 20,
  accountsInMemoryMax: 1_000_000,
  recentOutcomesMax: 20_000,
  recentOutcomesBytesMax: 8 << 20,
  callerPatienceMs: 20_000,
  recoverAfterMs: 10_000,
  expireAfterMs: 60_000,
  recoveryIntervalMs: 5_000,
};

export interface EngineDeps {
  readonly journal: JournalPort;
  readonly claims: ClaimsPort;
  readonly accounts: AccountsPort;
  readonly log: Log;
  /** By default this process leads all books. */
  readonly leadership?: LeadershipPort;
  readonly runtime?: Runtime;
  readonly crashPoint?: CrashPoint;
  readonly observers?: readonly EngineObserver[];
  readonly limits?: Partial<EngineLimits>;
}

/** A process that shares its books with no other. */
const LEADS_ALL: LeadershipPort = {
  isShared: false,
  leads: () => true,
  handOver: () => Promise.reject(new Error('this process leads all books')),
};

const SWEEP_MS = 250;
const DRAIN_POLL_MS = 5;

/**
 * The ledger engine of one process. Any number of processes may run one over the same database: the append rule makes
 * that safe, agreeing on one writer a book merely makes it fast.
 */
export class Engine implements Ledger {
  readonly limits: EngineLimits;
  readonly #runtime: Runtime;
  readonly #log: Log;
  readonly #leadership: LeadershipPort;
  readonly #table: AccountTable;
  readonly #inFlight: InFlight;
  readonly #recent: RecentOutcomes;
  readonly #finisher: Finisher;
  readonly #rounds: Rounds;
  readonly #admission: Admission;
  readonly #known: KnownKeys;
  readonly #recovery: Recovery;
  readonly #loader: AccountLoader;
  readonly #stopped = new AbortController();
  #started = false;
  #stopping = false;

  constructor({ journal, claims, accounts, log, leadership, runtime, crashPoint, observers, limits }: EngineDeps) {
    this.limits = { ...DEFAULT_LIMITS, ...limits };
    this.#runtime = runtime ?? systemRuntime;
    this.#log = log;
    this.#leadership = leadership ?? LEADS_ALL;
    const shared = { log, runtime: this.#runtime, crashPoint: crashPoint ?? (() => undefined), limits: this.limits };
    this.#table = new AccountTable(this.limits.accountsInMemoryMax);
    this.#loader = new AccountLoader(this.#table, accounts, journal);
    this.#inFlight = new InFlight({
      commandsMax: this.limits.inFlightCommandsMax,
      joinedMax: this.limits.inFlightCommandsMax,
      bytesMax: this.limits.inFlightBytesMax,
      legsMax: this.limits.accountsInMemoryMax >> 1,
    });
    this.#recent = new RecentOutcomes(this.limits.recentOutcomesMax, this.limits.recentOutcomesBytesMax);
    this.#finisher = new Finisher({ ...shared, claims });
    const observer = new Observers(observers ?? [], log);
    this.#rounds = new Rounds({
      ...shared,
      observer,
      journal,
      loader: this.#loader,
      leadership: this.#leadership,
      onForeign: (task, book) => void this.#handOver(task, book),
      claimedIds: () => this.#inFlight.claimedIds(),
      onEntry: (placed) => this.#stand(placed),
    });
    const refuse = (task: Task, error: LedgerError) => this.#refuse(task, error);
    const adopted = { inFlight: this.#inFlight, loader: this.#loader, rounds: this.#rounds, journal, refuse };
    this.#known = new KnownKeys({ ...shared, ...adopted, stand: (placed) => this.#stand(placed) });
    this.#admission = new Admission({
      ...shared,
      observer,
      owner: this.#runtime.newId(),
      claims,
      loader: this.#loader,
      rounds: this.#rounds,
      onClaimed: (claimId, tasks) => this.#finisher.open(claimId, tasks),
      onKnown: (known) => void this.#known.answer(known),
      refuse,
    });
    this.#recovery = new Recovery({
      ...shared,
      claims,
      journal,
      owns: (claimId) => this.#finisher.isOpen(claimId),
      driveOn: (works) => this.#known.driveOn(works),
    });
  }

  /** Begins to watch deadlines and to recover what others left behind. */
  start(): void {
    if (this.#started) return;
    this.#started = true;
    void this.#watchDeadlines();
    this.#recovery.start();
  }

  /** Takes no new commands, ends those in flight within the time given, and answers the rest as unknown. */
  async stop(graceMs = 10_000): Promise<void> {
    this.#stopping = true;
    // It begins with no other claim; the one that it works on ends with the commands in flight.
    const recovered = this.#recovery.stop();
    const until = this.#runtime.elapsed() + graceMs;
    while (this.#inFlight.size > 0 && this.#runtime.elapsed() < until) await this.#runtime.sleep(DRAIN_POLL_MS);
    await Promise.all([this.#admission.stop(), this.#rounds.stop()]);
    for (const task of this.#inFlight.tasks()) task.refuse(outcomeUnknown());
    await recovered;
    this.#stopped.abort();
    await this.#finisher.stop();
  }

  submit(command: Command): Promise<Outcome> {
    try {
      return this.#submit(command);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** @param mayWait Whether another command with the same key may be waited for. */
  #submit(command: Command, mayWait = true): Promise<Outcome> {
    if (this.#stopping) throw new LedgerError('unavailable', 'the ledger is shutting down; nothing was written');
    checkCommand(command);
    const running = this.#inFlight.byKey(command.key);
    if (running) {
      if (running.command.fingerprint !== command.fingerprint) return this.#after(running, command, mayWait);
      const outcome = this.#inFlight.join(running);
      if (!outcome) throw outcomeUnknown();
      running.deadline = this.#patience();
      return outcome;
    }
    const recent = this.#recent.get(command.key);
    if (recent) {
      if (recent.fingerprint !== command.fingerprint) throw keyReused();
      return Promise.resolve({ ...recent.placed, replayed: true });
    }
    this.#inFlight.checkRoomFor(estimatedBytes(command), command.legs.length);
    const task = new Task(command, this.#patience(), this.#runtime.elapsed() + this.limits.expireAfterMs);
    this.#inFlight.add(task);
    const outcome = task.wait(false);
    this.#admission.push(task);
    return outcome;
  }

  /**
   * Another command has this key. Until that one is claimed it may end without having used the key up: refused, or
   * because another process was faster with this very command. So its end is waited for.
   */
  async #after(running: Task, command: Command, mayWait: boolean): Promise<Outcome> {
    if (running.state === 'claimed') throw keyReused();
    // Once: of many different ones with this key each would else wait for all before it.
    const ended = mayWait ? this.#inFlight.watch(running) : null;
    if (!ended) throw keyInProgress();
    try {
      await ended;
    } catch (error) {
      if (!(error instanceof LedgerError) || error.code === 'outcome_unknown') throw keyInProgress();
      return this.#submit(command, false);
    }
    throw keyReused();
  }

  submitMany(commands: readonly Command[]): Promise<PromiseSettledResult<Outcome>[]> {
    return Promise.allSettled(commands.map((command) => this.submit(command)));
  }

  /**
   * Watches the pending claims for so long, then drives on those that are left and that nobody here is working on;
   * answers what it found and did.
   */
  recover(afterMs = this.limits.recoverAfterMs): Promise<RecoveryReport> {
    return this.#recovery.runOnce(afterMs);
  }

  /**
   * Carries commands on that another process has claimed, as far as that can be done here. Each promise is that of an
   * outcome, and rejects with a {@link LedgerError}: `outcome_unknown`, `unavailable` when nothing was begun.
   */
  carryOn(works: readonly ClaimedWork[]): Promise<Outcome>[] {
    if (!this.#stopping) return this.#known.driveOn(works);
    return works.map(() => Promise.reject(new LedgerError('unavailable', 'the ledger is shutting down')));
  }

  /** Opens a book that this process is about to lead, so that the first command in it does not wait for that. */
  lead(book: number): Promise<void> {
    return this.#rounds.lead(book);
  }

  /** Closes a book that another process is about to lead: resolves when nothing of this one is on its way to it. */
  leave(book: number): Promise<void> {
    return this.#rounds.leave(book);
  }

  /** Figures for metrics. Queues in commands, memory in accounts. */
  stats() {
    return {
      inFlight: this.#inFlight.size,
      inFlightBytes: this.#inFlight.bytes,
      waitingForClaim: this.#admission.waiting,
      waitingForBlock: this.#rounds.waiting,
      accountsInMemory: this.#table.size,
      accountsInMemoryMax: this.#table.capacity,
      accountsEvicted: this.#table.evicted,
      ...this.#loader.counts,
      ...this.#rounds.counts,
      claimsFinished: this.#finisher.finished,
      claimsPending: this.#recovery.pending,
      recovered: { ...this.#recovery.total },
    };
  }

  #patience(): number {
    return this.#runtime.elapsed() + this.limits.callerPatienceMs;
  }

  #stand(placed: Placed): void {
    const task = this.#inFlight.byId(placed.entry.id);
    if (!task) return;
    // One that spans books and whose accounts are not looked up yet will find its entries when they are.
    if (placed.entry.span) task.progress?.stand(placed);
    const outcome = placed.entry.span ? (task.progress?.outcome ?? null) : placed;
    if (outcome !== null) this.#settle(task, outcome);
  }

  #settle(task: Task, outcome: Placed): void {
    this.#end(task);
    this.#recent.add(task, outcome);
    task.answer(outcome);
    this.#finisher.settled(task);
  }

  /** To whoever leads the book; when nobody answers this process carries the command on by itself. */
  async #handOver(task: Task, book: number): Promise<void> {
    const number = ++task.handOvers;
    try {
      const outcome = await this.#leadership.handOver(book, { command: task.command, claimedAt: task.claimedAt });
      if (task.state !== 'settled') this.#settle(task, outcome);
    } catch (error) {
      // It may have come back meanwhile, by way of another process.
      if (task.state === 'settled' || task.handOvers !== number) return;
      task.handOvers++;
      if (!this.#leadership.leads(book)) {
        task.isAlone = true;
        const fields = { err: error, book, ...concernedTasks([task]) };
        this.#log.debug(fields, 'nobody leads the book; carrying the command on here');
      }
      this.#rounds.push([task]);
    }
  }

  #refuse(task: Task, error: LedgerError): void {
    this.#end(task);
    task.refuse(error);
  }

  #end(task: Task): void {
    task.state = 'settled';
    this.#loader.release(task);
    this.#inFlight.remove(task);
  }

  async #watchDeadlines(): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      await this.#runtime.sleep(SWEEP_MS, signal);
      this.#sweep();
    }
  }

  /** Callers do not wait for ever. What is queued can be given up for sure; what is claimed goes on without them. */
  #sweep(): void {
    const now = this.#runtime.elapsed();
    for (const task of this.#inFlight.tasks()) {
      if (task.deadline > now || !task.isAwaited) continue;
      if (task.state === 'queued') {
        this.#refuse(
          task,
          new LedgerError('unavailable', 'the ledger is too slow; nothing was written, send it again'),
        );
      } else {
        task.refuse(outcomeUnknown());
      }
    }
  }
}

function keyReused(): LedgerError {
  return new LedgerError('idempotency_key_reused', 'this idempotency key was used before, with another request');
}

function keyInProgress(): LedgerError {
  const message = 'another request with this idempotency key is still running; send this one again later';
  return new LedgerError('idempotency_key_in_progress', message);
}

/** A run as the agent has it: what its keeper says, or what is found where the keeper is gone. */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { groupCpuMs, groupMemory, memoryKills, processesIn } from './cgroup.ts';
import {
  type EndFile,
  FILES,
  type KeeperFile,
  type PlanFile,
  PROTOCOL,
  type RunFacts,
  readJson,
  readProgram,
} from './keeper-files.ts';
import { connectTo, type FromKeeper, hear, say, type ToKeeper } from './keeper-link.ts';
import { endLost, keeperLives } from './lost.ts';
import { bootMs, isAlive, membersOf, memoryOf, signal, statOf } from './proc.ts';
import type { Run, RunEnd, RunPlan, RunUsage } from './run.ts';
import type { Log } from './types.ts';

const RETRY_MS = { first: 10, max: 500 } as const;
/** A keeper that says nothing for so long is taken at what its files say. */
const SILENT_MS_MAX = 3_000;
/** A keeper that should have come to an end so long ago, as it was told to, is killed itself; then the agent kills the rest. */
const KILL_MS_MAX = 20_000;

export class KeptRun implements Run {
  readonly ended: Promise<RunEnd>;
  readonly plan: RunPlan;
  readonly #kept: KeeperFile;
  #facts: RunFacts;
  #end: RunEnd | null = null;
  #resolveEnded: (end: RunEnd) => void = () => undefined;
  #socket: Socket | null = null;
  /** Said again to the keeper after each connection: it may have missed it. */
  readonly #wishes = new Map<ToKeeper['type'], ToKeeper>();
  readonly #detached = new AbortController();

  private constructor(
    readonly folder: string,
    file: PlanFile,
    private readonly log: Log,
    private readonly onDetached: () => void,
  ) {
    this.plan = file.plan;
    this.#kept = readJson<KeeperFile>(folder, FILES.keeper)!;
    const program = this.#kept.keeper === null ? null : readProgram(folder, this.#kept.keeper.boot);
    this.#facts = { pid: program?.pid ?? 0, startedAt: this.#kept.startedAt, limits: {} };
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
  }

  /** Takes a run that has its keeper's file; resolves when it is known how it is. */
  static async take(folder: string, file: PlanFile, log: Log, onDetached: () => void): Promise<KeptRun> {
    const run = new KeptRun(folder, file, log, onDetached);
    const known = new Promise<void>((resolve) => {
      void run.#watch(resolve);
    });
    const tooLate = new AbortController();
    await Promise.race([known, run.ended, sleep(SILENT_MS_MAX, undefined, tooLate).catch(() => undefined)]);
    tooLate.abort();
    return run;
  }

  get pid(): number {
    return this.#facts.pid;
  }

  get startedAt(): Date {
    return new Date(this.#facts.startedAt);
  }

  get limits(): Run['limits'] {
    return this.#facts.limits;
  }

  get end(): RunEnd | null {
    return this.#end;
  }

  stop(graceMs = this.plan.graceMs): Promise<RunEnd> {
    this.#wish({ type: 'stop', graceMs });
    return this.#endedWithin(graceMs + KILL_MS_MAX);
  }

  kill(why: string): Promise<RunEnd> {
    this.#wish({ type: 'kill', why });
    return this.#endedWithin(KILL_MS_MAX);
  }

  renew(ms: number, since = bootMs()): void {
    if (this.plan.leaseMs !== null) this.#wish({ type: 'renew', until: since + ms });
  }

  async usage(): Promise<RunUsage | null> {
    if (this.#end !== null) return null;
    const { groups } = this.#kept;
    const grouped = processesIn(groups);
    const pids = grouped.length > 0 ? grouped : membersOf(this.pid).map(({ pid }) => pid);
    if (pids.length === 0) return null;
    const sum = (of: (pid: number) => number) => pids.reduce((total, pid) => total + of(pid), 0);
    return {
      memoryBytes: groupMemory(groups) ?? sum(memoryOf),
      cpuMs: groupCpuMs(groups) ?? sum((pid) => statOf(pid)?.cpuMs ?? 0),
      memoryKills: memoryKills(groups),
    };
  }

  detach(): void {
    this.#detached.abort();
    this.#socket?.destroy();
    this.onDetached();
  }

  /** As `ended`, which it comes to even when the keeper hangs. */
  #endedWithin(ms: number): Promise<RunEnd> {
    const timer = setTimeout(() => this.#killKeeper(), ms);
    timer.unref();
    void this.ended.then(() => clearTimeout(timer));
    return this.ended;
  }

  #wish(message: ToKeeper): void {
    this.#wishes.set(message.type, message);
    if (this.#socket !== null) say(this.#socket, message);
  }

  #killKeeper(): void {
    if (this.#end !== null || this.#detached.signal.aborted) return;
    if (this.#kept.keeper === null || !isAlive(this.#kept.keeper)) return;
    this.log.warn({ folder: this.folder }, 'a keeper did not end its run, and is killed');
    signal(this.#kept.keeper.pid, 'SIGKILL');
  }

  /** Until the run has ended, or nobody wants to know any more. */
  async #watch(onKnown: () => void): Promise<void> {
    for (let ms: number = RETRY_MS.first; !this.#detached.signal.aborted; ms = Math.min(2 * ms, RETRY_MS.max)) {
      try {
        const ended = await this.#found();
        if (ended !== null) return this.#settle(ended);
        if (await this.#converse(onKnown)) ms = RETRY_MS.first;
      } catch (error) {
        // As with too many open files. Nothing is taken for ended because it cannot be seen.
        this.log.warn({ error, folder: this.folder }, 'a run cannot be looked after; trying again');
      }
      if (this.#end !== null) return;
      await sleep(ms, undefined, { signal: this.#detached.signal }).catch(() => undefined);
    }
  }

  /** The end, where it is known without asking the keeper. */
  async #found(): Promise<EndFile | null> {
    const written = readJson<EndFile>(this.folder, FILES.end);
    if (written !== null || keeperLives(this.#kept)) return written;
    return await endLost(this.folder);
  }

  /** Resolves when the keeper hung up, or did not answer: false. */
  async #converse(onKnown: () => void): Promise<boolean> {
    const socket = connectTo(this.folder);
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    socket.on('error', () => socket.destroy());
    hear<FromKeeper>(socket, (message) => {
      if (message.type === 'hello' && message.protocol !== PROTOCOL) {
        this.log.debug({ folder: this.folder, protocol: message.protocol }, 'a keeper of another version');
      }
      if (message.type === 'ended') this.#settle(message);
      if (message.type !== 'running') return;
      this.#facts = factsOf(message);
      onKnown();
    });
    const isConnected = await Promise.race([once(socket, 'connect').then(() => true), closed.then(() => false)]).catch(
      () => false,
    );
    if (this.#detached.signal.aborted) socket.destroy();
    if (isConnected) {
      this.#socket = socket;
      for (const wish of this.#wishes.values()) say(socket, wish);
    }
    await closed;
    this.#socket = null;
    return isConnected;
  }

  #settle(ended: EndFile): void {
    this.#facts = factsOf(ended);
    this.#end ??= ended.end;
    this.#resolveEnded(this.#end);
  }
}

function factsOf({ pid, startedAt, limits }: RunFacts): RunFacts {
  return { pid, startedAt, limits };
}

/** Keeps one run: starts its program, writes down what it says, ends it in time, and knows how it ended. */
import type { ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type GroupPlace, type Groups, makeGroups, memoryKills, removeGroups } from './cgroup.ts';
import {
  type EndFile,
  FILES,
  type KeeperFile,
  type PlanFile,
  PROTOCOL,
  type RunFacts,
  writeDurably,
} from './keeper-files.ts';
import { type FromKeeper, hear, say, type ToKeeper } from './keeper-link.ts';
import { killAll, terminate } from './kill.ts';
import { type Launched, launch } from './launch.ts';
import { LineSplitter, markedLine, type OutputName } from './log-lines.ts';
import { LogWriter } from './log-writer.ts';
import { bootId, bootMs, identityOf, type ProcessIdentity, statOf } from './proc.ts';
import type { RunEnd } from './run.ts';

const CONNECTIONS_MAX = 16;
/** Timers stand still while the machine is suspended, a lease does not: so it is looked at again and again. */
const LOOK_MS_MAX = 250;
/** A line that has no end yet is shown after this. */
const PARTIAL_LINE_MS = 1_000;
/** Something that left the group may hold the output open for ever. */
const OUTPUT_END_MS_MAX = 5_000;
const LOG_END_MS_MAX = 5_000;
const END_WRITE = { tries: 10, ms: 500 } as const;
const END_TELL_MS_MAX = 2_000;
/** What a shell says when it cannot run a program comes within so many lines. */
const FAILURE_LINES_MAX = 5;

export class Keeper {
  readonly #log: LogWriter;
  readonly #listeners = new Set<Socket>();
  readonly #groups: Groups;
  #program: ProcessIdentity | null = null;
  /** Why it is ended, when it does not end by itself. */
  #why: string | null = null;
  #leaseUntil: number | null;
  #killAt = Number.POSITIVE_INFINITY;
  #killing: Promise<void> | null = null;
  #timer: NodeJS.Timeout | undefined;
  #facts: RunFacts | null = null;
  #end: RunEnd | null = null;
  #isReady = false;
  #hasFailed = false;
  #errorLines = 0;
  #lastErrorLine = '';

  constructor(
    private readonly file: PlanFile,
    private readonly kept: KeeperFile,
    places: readonly GroupPlace[],
  ) {
    this.#leaseUntil = file.boot === bootId() ? file.leaseUntil : Number.NEGATIVE_INFINITY;
    if (file.leaseUntil === null) this.#leaseUntil = null;
    this.#groups = makeGroups(places, file.plan.limits);
    const isOpen = (run: string) => existsSync(join('..', run));
    const folder = join('..', '..', 'logs');
    this.#log = new LogWriter({ folder, run: file.plan.run, limits: file.logs, isOpen });
  }

  /** Resolves when the run has ended, and that is known to whoever listens. */
  async run(): Promise<void> {
    const server = await this.#listen();
    process.on('SIGTERM', () => this.#stop(this.file.plan.graceMs));
    // Of the terminal that the agent was started from.
    for (const name of ['SIGINT', 'SIGHUP'] as const) process.on(name, () => undefined);
    this.#end = await this.#live();
    const ended: EndFile = { ...this.#known(), end: this.#end };
    await this.#record(ended);
    server.close();
    await this.#tellEnd({ type: 'ended', ...ended });
  }

  async #live(): Promise<RunEnd> {
    this.#checkLease();
    if (this.#why !== null) return await this.#ended(null, null);
    let launched: Launched;
    try {
      launched = launch(this.file.plan, process.cwd(), this.#groups);
    } catch (error) {
      return await this.#ended(null, null, `cannot start: ${(error as Error).message}`);
    }
    return await this.#follow(launched);
  }

  async #follow({ child, marks }: Launched): Promise<RunEnd> {
    const exit = new Promise<{ code: number | null; signal: string | null; error?: Error }>((resolve) => {
      child.once('error', (error) => resolve({ code: null, signal: null, error }));
      child.once('exit', (code, signal) => resolve({ code, signal }));
    });
    const stat = child.pid === undefined ? null : statOf(child.pid);
    if (stat !== null) this.#program = identityOf(stat);
    this.#look();
    const outputs = Promise.all([
      this.#read(child, 'out', (line) => this.#keep('out', line)),
      this.#read(child, 'err', (line) => this.#hearError(line, marks)),
    ]).catch((error) => console.error(error));
    const { code, signal, error } = await exit;
    if (error !== undefined)
      return await this.#ended(null, null, `cannot start: ${startFailure(error, this.file.plan.cwd)}`);
    const kills = memoryKills(this.#groups.joined);
    await killAll(this.#program, this.kept.groups);
    await Promise.race([outputs, sleep(OUTPUT_END_MS_MAX)]);
    return await this.#ended(code, signal, this.#judge(code, signal, kills));
  }

  /** Why it ended, where nobody here wanted it to. */
  #judge(code: number | null, signal: string | null, kills: number | null): string | null {
    if (!this.#isReady || this.#hasFailed) {
      return `cannot start: ${this.#lastErrorLine || `it ended with ${signal ?? `code ${code}`} before it was run`}`;
    }
    return signal === 'SIGKILL' && (kills ?? 0) > 0 ? 'memory limit' : null;
  }

  async #ended(code: number | null, signal: string | null, why: string | null = null): Promise<RunEnd> {
    await killAll(this.#program, this.kept.groups);
    clearTimeout(this.#timer);
    await removeGroups(this.kept.groups);
    await this.#log.close(LOG_END_MS_MAX);
    return { code, signal, at: new Date().toISOString(), why: this.#why ?? why };
  }

  /** Resolves at the end of that output. */
  async #read(child: ChildProcess, name: OutputName, onLine: (line: Buffer) => void): Promise<void> {
    const stream = name === 'out' ? child.stdout! : child.stderr!;
    const splitter = new LineSplitter(onLine);
    let timer: NodeJS.Timeout | undefined;
    try {
      for await (const chunk of stream) {
        clearTimeout(timer);
        splitter.push(chunk as Buffer);
        if (splitter.isWithinLine) timer = setTimeout(() => splitter.flush(), PARTIAL_LINE_MS);
        // Nothing is read meanwhile: the program waits, rather than that we need ever more memory.
        if (this.#log.isFull) await this.#log.room();
      }
    } finally {
      clearTimeout(timer);
      splitter.flush();
    }
  }

  #keep(name: OutputName, line: Buffer): void {
    this.#log.write(markedLine(name, line, new Date()));
  }

  #hearError(line: Buffer, marks: Launched['marks']): void {
    if (this.#errorLines <= FAILURE_LINES_MAX && !this.#hasFailed) {
      const text = line.toString();
      if (text === marks.ready) this.#ready();
      if (text === marks.failed) this.#hasFailed = true;
      if (text === marks.ready || text === marks.failed) return;
      if (this.#isReady) this.#errorLines++;
      this.#lastErrorLine = withoutShell(text);
    }
    this.#keep('err', line);
  }

  #ready(): void {
    this.#isReady = true;
    this.#facts = this.#known();
    this.#tell({ type: 'running', ...this.#facts });
  }

  #known(): RunFacts {
    const { memory, cpu, files } = this.file.plan.limits;
    const limits = {
      ...(memory !== undefined && { memory: this.#groups.kept.memory ?? ('rlimit' as const) }),
      ...(cpu !== undefined && { cpu: this.#groups.kept.cpu ?? ('none' as const) }),
      ...(files !== undefined && { files: 'rlimit' as const }),
    };
    return { pid: this.#program?.pid ?? 0, startedAt: this.kept.startedAt, limits };
  }

  async #listen(): Promise<Server> {
    const server = createServer((socket) => this.#greet(socket));
    server.maxConnections = CONNECTIONS_MAX;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(FILES.socket, resolve);
    });
    return server;
  }

  #greet(socket: Socket): void {
    socket.on('error', () => socket.destroy());
    socket.once('close', () => this.#listeners.delete(socket));
    hear<ToKeeper>(socket, (message) => this.#hear(message));
    this.#listeners.add(socket);
    say(socket, { type: 'hello', protocol: PROTOCOL });
    if (this.#facts !== null) say(socket, { type: 'running', ...this.#facts });
  }

  #hear(message: ToKeeper): void {
    if (message.type === 'stop' && Number.isFinite(message.graceMs)) this.#stop(message.graceMs);
    if (message.type === 'kill') this.#kill(message.why);
    // A lease that ran out is not renewed: it may be another one's already.
    if (
      message.type === 'renew' &&
      Number.isFinite(message.until) &&
      this.#leaseUntil !== null &&
      !this.#checkLease()
    ) {
      this.#leaseUntil = message.until;
      this.#look();
    }
  }

  #stop(graceMs: number): void {
    this.#why ??= 'stopped';
    this.#killAt = Math.min(this.#killAt, bootMs() + graceMs);
    if (this.#program !== null && this.#end === null) terminate(this.#program);
    this.#look();
  }

  #kill(why: string): void {
    if (this.#why === null || this.#why === 'stopped') this.#why = why;
    this.#killAt = Number.NEGATIVE_INFINITY;
    this.#look();
  }

  /** Ends what is due to be ended, and sees when it has to look again. */
  #look(): void {
    this.#checkLease();
    if (this.#program === null || this.#end !== null) return;
    clearTimeout(this.#timer);
    const due = Math.min(this.#killAt, this.#leaseUntil ?? Number.POSITIVE_INFINITY) - bootMs();
    if (due <= 0) {
      this.#killing ??= killAll(this.#program, this.kept.groups);
    } else if (due < Number.POSITIVE_INFINITY) {
      this.#timer = setTimeout(() => this.#look(), Math.min(due, LOOK_MS_MAX));
    }
  }

  /** Has it run out? Then everything is ended. */
  #checkLease(): boolean {
    if (this.#leaseUntil === null || bootMs() < this.#leaseUntil) return false;
    this.#why ??= 'lease';
    this.#killAt = Number.NEGATIVE_INFINITY;
    return true;
  }

  #tell(message: FromKeeper): void {
    for (const socket of this.#listeners) say(socket, message);
  }

  /** On a full disk an agent that is there learns it at least. */
  async #record(ended: EndFile): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        return writeDurably('.', FILES.end, ended);
      } catch (error) {
        if (tries === END_WRITE.tries || !existsSync(FILES.plan)) return console.error(error);
        await sleep(END_WRITE.ms);
      }
    }
  }

  async #tellEnd(message: FromKeeper): Promise<void> {
    this.#tell(message);
    const closed = [...this.#listeners].map((socket) => new Promise<void>((resolve) => socket.end(resolve)));
    await Promise.race([Promise.all(closed), sleep(END_TELL_MS_MAX)]);
  }
}

/** `sh: 1: exec: bin/server: not found` says who, where and how; what matters is at its end. */
function withoutShell(text: string): string {
  return text.replace(/^(\/bin\/)?(sh|dash|bash): (line )?\d+: (exec: )?/, '').slice(0, 500);
}

function startFailure(error: Error, cwd: string): string {
  return existsSync(cwd) ? error.message : `its folder ${cwd} is missing`;
}

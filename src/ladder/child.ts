/** Processes of the ladder's own: they end when it does. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FromCaller, FromServer, Measured, Measurement, ToCaller } from './messages.ts';

const END_MS_MAX = 10_000;
const LOG_SHOWN_MAX = 2_000;

export interface ProgramStart {
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** What it says on standard output and standard error goes there. */
  readonly logFile: string;
  /** Is it one that talks to us? */
  readonly talks: boolean;
  /** What it gets when we end too early to wait for it; one that has processes of its own must get to end them. */
  readonly lastSignal?: 'SIGKILL' | 'SIGTERM';
}

/** What Node.js is given to run a module of ours: as it is written, or as it is built, as we are or it is. */
export function nodeProgram(module: URL): string[] {
  const path = fileURLToPath(module);
  if (extname(import.meta.url) === '.ts' && extname(path) === '.ts') return [process.execPath, '--import', 'tsx', path];
  return [process.execPath, path.replace(/\.ts$/, '.js')];
}

const running = new Map<ChildProcess, NodeJS.Signals>();
process.on('exit', () => {
  for (const [child, signal] of running) child.kill(signal);
});

export class Child {
  private constructor(
    private readonly child: ChildProcess,
    private readonly logFile: string,
  ) {}

  static start({ command, environment, logFile, talks, lastSignal = 'SIGKILL' }: ProgramStart): Child {
    const log = openSync(logFile, 'a');
    const [program, ...argv] = command;
    const child = spawn(program!, argv, {
      env: environment,
      stdio: talks ? ['ignore', log, log, 'ipc'] : ['ignore', log, log],
    });
    closeSync(log);
    // One that cannot be started has no number and an exit code: whoever waits for it sees that.
    child.on('error', () => undefined);
    running.set(child, lastSignal);
    child.once('exit', () => running.delete(child));
    return new Child(child, logFile);
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  get hasEnded(): boolean {
    return this.child.pid === undefined || this.child.exitCode !== null || this.child.signalCode !== null;
  }

  /** Its next message. Rejects when it ends first. */
  async hear<T>(): Promise<T> {
    const heard = new AbortController();
    const { signal } = heard;
    try {
      const message = once(this.child, 'message', { signal }).then(([value]) => value as T);
      const exit = once(this.child, 'exit', { signal }).then(() => this.failed());
      return await Promise.race([message, exit]);
    } finally {
      heard.abort();
    }
  }

  tell(message: ToCaller): void {
    this.child.send(message);
  }

  /** Rejects with the end of its log. */
  async failed(): Promise<never> {
    const said = await readFile(this.logFile, 'utf8').catch(() => '');
    throw new Error(`${this.child.spawnargs.join(' ')} ended by itself:\n${said.slice(-LOG_SHOWN_MAX)}`);
  }

  async end(): Promise<void> {
    if (this.hasEnded) return;
    const gone = once(this.child, 'exit');
    this.child.kill('SIGTERM');
    const timer = setTimeout(() => this.child.kill('SIGKILL'), END_MS_MAX);
    await gone;
    clearTimeout(timer);
  }
}

/** A server that says where it listens. */
export async function startServer(start: ProgramStart): Promise<{ child: Child; port: number }> {
  const child = Child.start(start);
  return { child, port: (await child.hear<FromServer>()).port };
}

/** A process that measures what it calls. */
export class Caller {
  private constructor(private readonly child: Child) {}

  static async start(start: ProgramStart): Promise<Caller> {
    const child = Child.start(start);
    const caller = new Caller(child);
    await child.hear<FromCaller>();
    return caller;
  }

  get pid(): number {
    return this.child.pid;
  }

  async measure(measurement: Measurement): Promise<Measured> {
    this.child.tell({ measure: measurement });
    const answer = await this.child.hear<FromCaller>();
    if ('measured' in answer) return answer.measured;
    throw new Error(`a measurement failed: ${'failed' in answer ? answer.failed : 'no answer'}`);
  }

  end(): Promise<void> {
    return this.child.end();
  }
}

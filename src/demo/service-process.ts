import { type ChildProcess, spawn } from 'node:child_process';
import { openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';

const EXTENSION = extname(import.meta.url);
const CLI = fileURLToPath(new URL(`../cli${EXTENSION}`, import.meta.url));
/** How Node.js runs the program, as `npm start` does: as it is written, or as it was built. */
const PROGRAM = ['--max-semi-space-size=32', ...(EXTENSION === '.ts' ? ['--import', 'tsx', CLI] : [CLI])];
const READY_MS_MAX = 60_000;
const COMMAND_MS_MAX = 60_000;
const LOG_SHOWN_MAX = 2_000;

export type Environment = Readonly<Record<string, string>>;

/** `kvitt serve` in a process of its own, so that it can be killed. */
export class ServiceProcess {
  #child: ChildProcess | null = null;

  constructor(
    readonly address: string,
    readonly environment: Environment,
    readonly logFile: string,
    /** What Node.js is given to run. */
    readonly program: readonly string[] = PROGRAM,
    /** What runs Node.js, such as a command that enters a network namespace. */
    readonly within: readonly string[] = [],
  ) {}

  /** What it keeps in memory now; null: it is gone, or this is not Linux. */
  async residentMiB(): Promise<number | null> {
    const status = await readFile(`/proc/${this.#child?.pid}/status`, 'utf8').catch(() => '');
    const kib = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
    return kib === undefined ? null : Number(kib) / 1024;
  }

  /** Resolves once it answers that it is ready. */
  async start(): Promise<void> {
    const log = openSync(this.logFile, 'a');
    const [command, ...argv] = [...this.within, process.execPath, ...this.program, 'serve'];
    const child = spawn(command!, argv, {
      env: { ...process.env, ...this.environment },
      stdio: ['ignore', log, log],
    });
    this.#child = child;
    const until = Date.now() + READY_MS_MAX;
    while (Date.now() < until) {
      if (child.exitCode !== null) break;
      const answer = await fetch(`${this.address}/readyz`).catch(() => null);
      await answer?.body?.cancel();
      if (answer?.ok) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    const said = await readFile(this.logFile, 'utf8').catch(() => '');
    throw new Error(`the service did not start; its log ${this.logFile} ends with\n${said.slice(-LOG_SHOWN_MAX)}`);
  }

  /** Freezes the process, or lets it go on. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child?.kill(signal);
  }

  /** Resolves when the process is gone, with its exit code; null: a signal ended it, or it was never started. */
  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null> {
    const child = this.#child;
    if (child === null) return null;
    if (child.exitCode === null && child.signalCode === null) {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill(signal);
      await gone;
    }
    return child.exitCode;
  }
}

/** Runs a `kvitt` command that answers in JSON. */
export function runKvitt<T>(
  arguments_: readonly string[],
  environment: Environment,
): Promise<{ code: number; answer: T }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...PROGRAM, ...arguments_, '--json'], {
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'inherit'],
      timeout: COMMAND_MS_MAX,
    });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk;
    });
    child.once('error', reject);
    child.once('close', (code) => {
      try {
        resolve({ code: code ?? -1, answer: JSON.parse(output) as T });
      } catch {
        reject(new Error(`kvitt ${arguments_.join(' ')} ended with ${code} and answered: ${output.slice(0, 500)}`));
      }
    });
  });
}

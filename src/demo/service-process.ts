import { type ChildProcess, spawn } from 'node:child_process';
import { openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';

const CLI = fileURLToPath(new URL('../cli.ts', import.meta.url));
const READY_MS_MAX = 30_000;
const COMMAND_MS_MAX = 60_000;

export type Environment = Readonly<Record<string, string>>;

/** A port that is free now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

/** `kvitt serve` in a process of its own, so that it can be killed. */
export class ServiceProcess {
  #child: ChildProcess | null = null;

  constructor(
    readonly address: string,
    readonly environment: Environment,
    readonly logFile: string,
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
    const child = spawn(process.execPath, ['--import', 'tsx', CLI, 'serve'], {
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
    throw new Error(`the service did not start; its log is ${this.logFile}`);
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
    const child = spawn(process.execPath, ['--import', 'tsx', CLI, ...arguments_, '--json'], {
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

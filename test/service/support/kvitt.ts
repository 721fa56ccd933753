/** The command `kvitt` in a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll } from 'vitest';
import { compile } from '../../support/build.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const SOURCE = ['--import', 'tsx', join(ROOT, 'src/cli.ts')];
const COMMAND_MS_MAX = 100_000;
let program: readonly string[] = SOURCE;

/**
 * Call at the top of a test file: its commands are then run as they are in the container, compiled, and start in half
 * the time.
 */
export function useBuild(): void {
  beforeAll(async () => {
    program = (await compile()).program;
  });
  afterAll(() => {
    program = SOURCE;
  });
}

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export class Kvitt {
  readonly #child: ChildProcess;
  #stdout = '';
  #stderr = '';

  /** It sees the given variables and no settings of the test run. */
  constructor(args: readonly string[], environment: Readonly<Record<string, string>>, stdin?: string) {
    const { PATH, HOME, MONGOD_BINARY } = process.env;
    this.#child = spawn(process.execPath, [...program, ...args], {
      env: { PATH, HOME, ...(MONGOD_BINARY === undefined ? {} : { MONGOD_BINARY }), ...environment },
      stdio: ['pipe', 'pipe', 'pipe'],
      timeout: COMMAND_MS_MAX,
      killSignal: 'SIGKILL',
    });
    this.#child.stdout!.setEncoding('utf8').on('data', (chunk: string) => {
      this.#stdout += chunk;
    });
    this.#child.stderr!.setEncoding('utf8').on('data', (chunk: string) => {
      this.#stderr += chunk;
    });
    this.#child.stdin!.end(stdin);
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  kill(signal: 'SIGTERM' | 'SIGKILL'): void {
    this.#child.kill(signal);
  }

  /** Nobody reads its standard output any more. */
  hangUp(): void {
    this.#child.stdout!.destroy();
  }

  async ended(): Promise<Ended> {
    if (!this.hasEnded) await once(this.#child, 'close');
    return { code: this.#child.exitCode, stdout: this.#stdout, stderr: this.#stderr };
  }
}

/** Runs a command to its end. */
export function kvitt(
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
  stdin?: string,
): Promise<Ended> {
  return new Kvitt(args, environment, stdin).ended();
}

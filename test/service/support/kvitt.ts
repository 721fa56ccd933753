/** The command `kvitt` in a process of its own. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll } from 'vitest';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const SOURCE = ['--import', 'tsx', join(ROOT, 'src/cli.ts')];
const COMMAND_MS_MAX = 45_000;
let program = SOURCE;

/**
 * Call at the top of a test file: its commands are then run as they are in the container, compiled, and start in half
 * the time.
 */
export function useBuild(): void {
  let folder: string;
  beforeAll(async () => {
    // Below the checkout, so that the packages are found from there.
    const cache = join(ROOT, 'node_modules/.cache');
    await mkdir(cache, { recursive: true });
    folder = await mkdtemp(join(cache, 'kvitt-build-'));
    const build = ['-p', join(ROOT, 'tsconfig.build.json'), '--outDir', folder];
    await promisify(execFile)(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), ...build]);
    program = ['--enable-source-maps', join(folder, 'src/cli.js')];
  });
  afterAll(async () => {
    program = SOURCE;
    await rm(folder, { recursive: true, force: true });
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

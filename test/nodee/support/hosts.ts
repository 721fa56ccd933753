/** Hosts with an agent each, and the tool, as somebody who operates them uses it. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { until } from '../../cloudname/support/namespace.ts';
import type { Network } from '../../faults/support/network.ts';

const COMMAND_MS_MAX = 240_000;
const STARTED_MS_MAX = 60_000;
const LOG_CHARACTERS_SHOWN = 3_000;

export interface Nodee {
  /** What Node.js is given to run the command `kvitt`. */
  readonly program: readonly string[];
  readonly folder: string;
  readonly environment: Readonly<Record<string, string>>;
}

export interface Answer {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** `kvitt nodee …` on this host. */
export async function nodee({ program, environment }: Nodee, ...args: string[]): Promise<Answer> {
  const options = { env: { PATH: process.env.PATH, ...environment }, timeout: COMMAND_MS_MAX };
  try {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [...program, 'nodee', ...args], options);
    return { code: 0, stdout, stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: unknown; stdout: string; stderr: string };
    return { code: typeof code === 'number' ? code : null, stdout, stderr };
  }
}

/** An agent on a host of its own, which is started anew as an init system would. */
export class AgentOnHost {
  #child: ChildProcess | null = null;

  constructor(
    readonly nodee: Nodee,
    readonly network: Pick<Network, 'place'>,
    readonly host: string,
    readonly settings: Readonly<Record<string, string>> = {},
  ) {}

  get log(): string {
    return join(this.nodee.folder, `${this.host}.log`);
  }

  get pid(): number {
    return this.#child!.pid!;
  }

  async start(): Promise<void> {
    const { program, environment, folder } = this.nodee;
    const { host: address, within } = this.network.place(this.host);
    const log = openSync(this.log, 'a');
    const own = { NODEE_HOST: address, NODEE_NAME: this.host, NODEE_DIR: join(folder, this.host), HOME: folder };
    const command = [...within, process.execPath, ...program, 'nodee', 'agent'];
    this.#child = spawn(command[0]!, command.slice(1), {
      env: { PATH: process.env.PATH, ...environment, ...own, ...this.settings },
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    const livez = `http://${address}:${this.settings.NODEE_PORT ?? 7070}/livez`;
    const isAlive = () =>
      fetch(livez)
        .then(({ ok }) => ok)
        .catch(() => false);
    try {
      await until(isAlive, Boolean, STARTED_MS_MAX);
    } catch (error) {
      throw new Error(`the agent of ${this.host} did not start: ${await this.tail()}`, { cause: error });
    }
  }

  get isAlive(): boolean {
    return this.#child !== null && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Resolves when it is gone; its processes run on. */
  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    if (!this.isAlive) return;
    const ended = once(this.#child!, 'exit');
    this.#child!.kill(signal);
    await ended;
  }

  async tail(): Promise<string> {
    return (await readFile(this.log, 'utf8').catch(() => '')).slice(-LOG_CHARACTERS_SHOWN);
  }
}

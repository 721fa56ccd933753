/** Runs of programs that tests start, in folders of their own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, vi } from 'vitest';
import { FILES, type KeeperFile, readJson } from '../../src/processes/keeper-files.ts';
import { statOf } from '../../src/processes/proc.ts';
import type { Run, RunPlan, Runs, RunsOptions } from '../../src/processes/run.ts';
import { openRuns } from '../../src/processes/runs.ts';

export const COORDINATE = '0.server.anna.test';
export const WAIT = { timeout: 30_000, interval: 20 };
const NOBODY = 65_534;

export const user = { uid: NOBODY, gid: NOBODY };
export const isRoot = process.getuid!() === 0;

const silent = () => undefined;
export const log = { debug: silent, info: silent, warn: silent, error: silent };

let names = 0;

export function planOf(command: readonly string[], more: Partial<RunPlan> = {}): RunPlan {
  names++;
  return {
    coordinate: COORDINATE,
    run: `r${process.pid}x${names}`,
    source: {} as RunPlan['source'],
    command,
    env: { PATH: '/usr/local/bin:/usr/bin:/bin' },
    cwd: '/',
    user: null,
    ports: {},
    limits: {},
    leaseMs: null,
    graceMs: 15_000,
    ...more,
  };
}

export function shell(script: string, more: Partial<RunPlan> = {}): RunPlan {
  return planOf(['sh', '-c', script], more);
}

/** A folder with runs; whatever is left of them is ended at the end. */
export class Host {
  readonly folder = mkdtempSync(join(tmpdir(), 'kvitt-runs-'));

  constructor() {
    // Other users pass through it to their work.
    chmodSync(this.folder, 0o711);
  }

  open(more: Partial<RunsOptions> = {}): Promise<Runs> {
    return openRuns({ folder: this.folder, log, ...more });
  }

  runFolder(run: Pick<Run, 'plan'>): string {
    return join(this.folder, run.plan.coordinate, 'runs', run.plan.run);
  }

  keeperOf(run: Pick<Run, 'plan'>): number {
    return readJson<KeeperFile>(this.runFolder(run), FILES.keeper)!.keeper!.pid;
  }

  async close(): Promise<void> {
    const runs = await (await openRuns({ folder: this.folder, log })).adopt();
    await Promise.all(runs.map((run) => run.kill('the test is over')));
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export function isRunning(pid: number): boolean {
  const stat = statOf(pid);
  return stat !== null && !stat.isGone;
}

/** The numbers of the processes that wrote them into files of that folder. */
export function pidsIn(folder: string): number[] {
  return readdirSync(folder).flatMap((name) => {
    const pid = Number(readFileSync(join(folder, name), 'utf8'));
    return pid > 1 ? [pid] : [];
  });
}

export async function textOf(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString();
}

/** Collects what comes, until it is destroyed. */
export function collect(stream: Readable): { text(): string; lines(): string[] } {
  let text = '';
  stream.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  return { text: () => text, lines: () => text.split('\n').slice(0, -1) };
}

export async function untilFile(path: string): Promise<string> {
  for (let tries = 0; tries < 3_000; tries++) {
    try {
      const text = readFileSync(path, 'utf8');
      if (text.endsWith('\n')) return text.trim();
    } catch {
      // Not yet.
    }
    await sleep(10);
  }
  throw new Error(`${path} was not written`);
}

const AGENT = fileURLToPath(new URL('./adopt-agent.ts', import.meta.url));

/** An agent in a process of its own, which is ended by `end`. */
export async function agent(host: Host, plan: RunPlan, how: 'once' | 'loop'): Promise<ChildProcess> {
  const child = spawn(process.execPath, ['--import', 'tsx', AGENT, host.folder, JSON.stringify(plan), how], {
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  });
  await once(child.stdout!, 'data');
  return child;
}

export async function end(child: ChildProcess): Promise<void> {
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}

export async function untilGone(...all: number[]): Promise<void> {
  await vi.waitFor(() => expect(all.filter(isRunning)).toEqual([]), WAIT);
}

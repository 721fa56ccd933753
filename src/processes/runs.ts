/** The runs of a host: begun, found again, and forgotten. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, openSync, readdirSync } from 'node:fs';
import { lchown, mkdir, rename, rm } from 'node:fs/promises';
import { dirname, extname, join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import {
  FILES,
  type KeeperFile,
  type LogLimits,
  type PlanFile,
  PROTOCOL,
  readJson,
  syncFolder,
  writeDurably,
} from './keeper-files.ts';
import { KeptRun } from './kept-run.ts';
import { readLog } from './log-reader.ts';
import { forbidKeeper, keeperLives, killLeftovers } from './lost.ts';
import { bootId, bootMs, read, signal } from './proc.ts';
import type { LogOptions, Run, RunPlan, Runs, RunsOptions } from './run.ts';

const EXTENSION = extname(import.meta.url);
const PROGRAM = fileURLToPath(new URL(`./keeper-process${EXTENSION}`, import.meta.url));
/** A keeper a process: each takes as little memory as Node can do with. As it is written, or as it was built. */
const NODE = [
  ...['--max-old-space-size=32', '--max-semi-space-size=1'],
  ...(EXTENSION === '.ts' ? ['--import', 'tsx'] : []),
];
const KEEPER_START_MS_MAX = 30_000;
const POLL_MS = 10;
const LOG_LIMITS: LogLimits = { fileBytes: 10 * 2 ** 20, files: 5 };
const COORDINATE = /^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$/;
const RUN = /^[A-Za-z0-9]{1,64}$/;
const SAID_CHARACTERS_MAX = 2_000;

/** @throws Error when the folder cannot be made */
export async function openRuns(options: RunsOptions): Promise<Runs> {
  // Others than we pass through, to their work and to nothing else.
  await mkdir(options.folder, { recursive: true, mode: 0o711 });
  return new HostRuns({ ...options, folder: resolve(options.folder) });
}

class HostRuns implements Runs {
  /** Folders of runs that this agent has, or is about to. */
  readonly #own = new Set<string>();

  constructor(private readonly options: RunsOptions) {}

  async start(plan: RunPlan): Promise<Run> {
    const leaseUntil = plan.leaseMs === null ? null : (plan.leasedAt ?? bootMs()) + plan.leaseMs;
    if (!RUN.test(plan.run)) throw new RangeError(`"${plan.run}" does not name a run: use letters and digits`);
    const folder = join(this.#runsOf(plan.coordinate), plan.run);
    const logs = this.options.logs ?? LOG_LIMITS;
    const file: PlanFile = { protocol: PROTOCOL, plan, leaseUntil, boot: bootId(), logs };
    await this.#prepare(folder, file);
    this.#own.add(folder);
    try {
      await startKeeper(folder);
    } catch (error) {
      this.#own.delete(folder);
      throw error;
    }
    return await this.#take(folder, file);
  }

  /** The folder is there whole, with its plan, or it is not there. */
  async #prepare(folder: string, file: PlanFile): Promise<void> {
    await this.#makePlace(file.plan.coordinate, 'runs', 0o700);
    const unfinished = `${folder}.${randomBytes(6).toString('hex')}.new`;
    this.#own.add(unfinished);
    await mkdir(unfinished, { mode: 0o700 });
    try {
      writeDurably(unfinished, FILES.plan, file);
      if (existsSync(folder))
        throw new Error(`run ${file.plan.run} of ${file.plan.coordinate} was started before: choose another name`);
      await rename(unfinished, folder);
      syncFolder(dirname(folder));
    } catch (error) {
      await rm(unfinished, { recursive: true, force: true });
      throw error;
    } finally {
      this.#own.delete(unfinished);
    }
  }

  async adopt(): Promise<Run[]> {
    const folders = list(this.options.folder).filter((name) => COORDINATE.test(name));
    const runs = folders.flatMap((coordinate) => {
      const parent = join(this.options.folder, coordinate, 'runs');
      return list(parent).map((name) => this.#adoptOne(parent, name));
    });
    return (await Promise.all(runs)).filter((run) => run !== null);
  }

  async #adoptOne(parent: string, name: string): Promise<Run | null> {
    const folder = join(parent, name);
    if (this.#own.has(folder)) return null;
    // Of a start or of a removal that was broken off.
    if (/\.(new|gone)$/.test(name)) await rm(folder, { recursive: true, force: true });
    if (!RUN.test(name)) return null;
    const file = readJson<PlanFile>(folder, FILES.plan);
    forbidKeeper(folder);
    if (file === null || readJson<KeeperFile>(folder, FILES.keeper) === null) return await this.#endUnreadable(folder);
    this.#own.add(folder);
    return await this.#take(folder, file);
  }

  /** One that was let go of can be found again. */
  #take(folder: string, file: PlanFile): Promise<Run> {
    return KeptRun.take(folder, file, this.options.log, () => this.#own.delete(folder));
  }

  /** Nobody knows what it is, so it does not run on. */
  async #endUnreadable(folder: string): Promise<null> {
    this.options.log.error({ folder }, 'the plan of a run cannot be read: it is ended and removed');
    const kept = readJson<KeeperFile>(folder, FILES.keeper);
    if (keeperLives(kept)) signal(kept!.keeper!.pid, 'SIGKILL');
    while (keeperLives(kept)) await sleep(POLL_MS);
    await killLeftovers(folder);
    await removeWhole(folder);
    return null;
  }

  async forget(run: Run): Promise<void> {
    const { coordinate, run: name } = run.plan;
    if (run.end === null) throw new Error(`run ${name} of ${coordinate} has not ended: stop it first`);
    const folder = join(this.#runsOf(coordinate), name);
    await removeWhole(folder);
    this.#own.delete(folder);
  }

  async logs(coordinate: string, options: LogOptions): Promise<Readable> {
    return readLog(join(this.#folderOf(coordinate), 'logs'), options);
  }

  async work(coordinate: string, user: RunPlan['user']): Promise<string> {
    const folder = await this.#makePlace(coordinate, 'work', 0o750);
    if (user !== null) await lchown(folder, user.uid, user.gid);
    return folder;
  }

  async remove(coordinate: string): Promise<void> {
    const runs = list(this.#runsOf(coordinate)).filter((name) => RUN.test(name));
    if (runs.length > 0) throw new Error(`${coordinate} has runs: stop and forget them first`);
    await rm(this.#folderOf(coordinate), { recursive: true, force: true });
  }

  async #makePlace(coordinate: string, name: 'runs' | 'work', mode: number): Promise<string> {
    const parent = this.#folderOf(coordinate);
    await mkdir(parent, { recursive: true, mode: 0o711 });
    await mkdir(join(parent, name), { recursive: true, mode });
    return join(parent, name);
  }

  #runsOf(coordinate: string): string {
    return join(this.#folderOf(coordinate), 'runs');
  }

  #folderOf(coordinate: string): string {
    if (!COORDINATE.test(coordinate)) throw new RangeError(`"${coordinate}" is not a coordinate`);
    return join(this.options.folder, coordinate);
  }
}

/** Resolves when a keeper has the run. @throws Error when there is none; then there is no run either */
async function startKeeper(folder: string): Promise<void> {
  const output = openSync(join(folder, FILES.log), 'a', 0o600);
  // Where --import finds its module; the keeper goes into its folder by itself.
  const cwd = dirname(PROGRAM);
  const stdio = ['ignore', output, output] as const;
  const child = spawn(process.execPath, [...NODE, PROGRAM, folder], { cwd, stdio: [...stdio], detached: true });
  closeSync(output);
  child.unref();
  const problem = await keeperProblem(child, folder);
  if (problem === null) return;
  const said = (read(join(folder, FILES.log)) ?? '').slice(-SAID_CHARACTERS_MAX);
  await removeWhole(folder);
  throw new Error(`the keeper of a run cannot be started: ${problem}.\n${said}`);
}

async function keeperProblem(child: ChildProcess, folder: string): Promise<string | null> {
  let problem: string | null = null;
  child.once('error', (error) => {
    problem = error.message;
  });
  child.once('exit', (code, name) => {
    problem = `it ended with ${name ?? `code ${code}`}`;
  });
  const deadline = bootMs() + KEEPER_START_MS_MAX;
  while (!existsSync(join(folder, FILES.keeper))) {
    if (bootMs() > deadline) problem ??= `it did not begin within ${KEEPER_START_MS_MAX / 1_000} s`;
    if (problem !== null && forbidKeeper(folder)) return problem;
    await sleep(POLL_MS);
  }
  return null;
}

/** What is left when this is broken off is known to be of no use. */
async function removeWhole(folder: string): Promise<void> {
  const gone = `${folder}.${randomBytes(6).toString('hex')}.gone`;
  await rename(folder, gone);
  await rm(gone, { recursive: true, force: true });
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return [];
    throw error;
  }
}

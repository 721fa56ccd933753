/** Servers of tests that run on Java: their jars, once from Maven into the user's cache folder, and their processes. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { cacheFolder } from '../../src/mongo/mongod-binary.ts';
import { hasEnded } from '../../src/mongo/mongod-process.ts';

const DOWNLOAD_MS_MAX = 300_000;
/** A loaded machine with two cores takes half of it. */
const START_MS_MAX = 60_000;
/** After this a process that was asked to end is killed. */
const STOP_MS_MAX = 10_000;
const POLL_MS = 50;

/**
 * The folder `name` of jars in the cache; if there is none, it is fetched: `artifacts`, each `group:artifact:version`,
 * and what they need to run.
 */
export async function fetchJars(name: string, artifacts: readonly string[]): Promise<string> {
  const cache = cacheFolder();
  const jars = join(cache, name);
  if (await exists(jars)) return jars;
  await mkdir(cache, { recursive: true });
  // A folder beside the final one, so that a broken download is never taken for a whole one.
  const work = await mkdtemp(join(cache, 'download-'));
  try {
    await download(name, artifacts, work);
    await rename(join(work, 'jars'), jars).catch(async (error: unknown) => {
      // Another process was faster.
      if (!(await exists(jars))) throw error;
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return jars;
}

async function download(name: string, artifacts: readonly string[], work: string): Promise<void> {
  await writeFile(join(work, 'pom.xml'), pom(artifacts));
  const goal = ['-q', '-B', 'dependency:copy-dependencies', '-DincludeScope=runtime', '-DoutputDirectory=jars'];
  try {
    await promisify(execFile)('mvn', goal, { cwd: work, timeout: DOWNLOAD_MS_MAX });
  } catch (error) {
    // Maven says on standard output what went wrong.
    const { stdout, message } = error as Error & { stdout?: string };
    throw new Error(`Maven (mvn) could not fetch ${name}: ${stdout || message}`, { cause: error });
  }
}

function pom(artifacts: readonly string[]): string {
  const dependencies = artifacts.map((artifact) => {
    const [group, id, version] = artifact.split(':');
    return `<dependency><groupId>${group}</groupId><artifactId>${id}</artifactId><version>${version}</version></dependency>`;
  });
  return `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>kvitt</groupId><artifactId>server-for-tests</artifactId><version>1</version>
<dependencies>${dependencies.join('\n')}</dependencies></project>`;
}

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export interface JavaOptions {
  /** The command that runs another one elsewhere, as in a network namespace. */
  readonly within?: readonly string[];
  /** A file descriptor for what it writes; without one, that is lost. */
  readonly output?: number;
}

/** Ends with this process at the latest. */
export function startJava(args: readonly string[], { within = [], output }: JavaOptions = {}): ChildProcess {
  const home = process.env.JAVA_HOME;
  const java = home === undefined ? 'java' : join(home, 'bin', 'java');
  const [command, ...before] = [...within, java];
  const child = spawn(command!, [...before, ...args], { stdio: ['ignore', output ?? 'ignore', output ?? 'ignore'] });
  running.add(child);
  child.once('exit', () => running.delete(child));
  // One that could not be started has no pid: untilAnswering says so.
  child.on('error', () => running.delete(child));
  return child;
}

/** Throws an Error when the process ends before it answers, or takes too long. */
export async function untilAnswering(
  name: string,
  child: ChildProcess,
  answers: () => Promise<boolean>,
): Promise<void> {
  if (child.pid === undefined) throw new Error(`${name}: ${child.spawnfile} could not be started; is it installed?`);
  for (const until = Date.now() + START_MS_MAX; Date.now() < until; await sleep(POLL_MS)) {
    if (hasEnded(child)) throw new Error(`${name} ended with ${child.signalCode ?? `exit code ${child.exitCode}`}`);
    if (await answers()) return;
  }
  throw new Error(`${name} did not answer within ${START_MS_MAX} ms`);
}

/** Resolves when the process is gone. `SIGTERM` becomes `SIGKILL` when it takes too long. */
export async function endJava(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  if (child.pid === undefined || hasEnded(child)) return;
  const gone = once(child, 'exit');
  child.kill(signal);
  // One that is stopped (SIGSTOP) would never see SIGTERM.
  child.kill('SIGCONT');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
  await gone;
  clearTimeout(timer);
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

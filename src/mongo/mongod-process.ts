/** One mongod process of the embedded replica set: start, wait until it listens, end. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, rename } from 'node:fs/promises';
import { connect } from 'node:net';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describeProcess, startTimeOf } from './process-table.ts';

const START_MS_MAX = 60_000;
/** After this a mongod that was asked to end is killed; its journal makes that safe. */
const STOP_MS_MAX = 15_000;
const POLL_MS = 50;
/** Of the machine's memory, for the cache of each member; within bounds. */
const CACHE_SHARE = 0.04;
const CACHE_GIB = { min: 0.25, max: 2 } as const;
const OPLOG_MB = 2048;
const LOG_LINES_SHOWN = 12;
const LOG_LINE_CHARACTERS_MAX = 400;

export interface MongodOptions {
  readonly binary: string;
  /** Holds the data, and the log of this and of the run before. */
  readonly folder: string;
  readonly place: Place;
  readonly port: number;
  readonly replicaSet: string;
}

/** Where a mongod runs. */
export interface Place {
  /** The one address at which it listens, and everybody reaches it. */
  readonly host: string;
  /** The command that runs another one there, as in a network namespace; empty: it runs here. */
  readonly within: readonly string[];
}

/** Starts a mongod and resolves once it listens. Throws an Error with the end of its log otherwise. */
export async function startMongod(options: MongodOptions): Promise<ChildProcess> {
  const data = dataFolder(options.folder);
  const log = join(options.folder, 'mongod.log');
  await mkdir(data, { recursive: true });
  await rename(log, join(options.folder, 'mongod.previous.log')).catch(ignoreMissing);
  // Detached: Ctrl-C in a terminal must reach the service alone, which drains before it ends its database.
  const [command, ...before] = [...options.place.within, options.binary];
  const child = spawn(command!, [...before, ...mongodArguments(options, data, log)], {
    stdio: 'ignore',
    detached: true,
  });
  child.unref();
  const failed = new AbortController();
  const refused = Promise.race([
    once(child, 'error', failed).then(([error]) => `it could not be started: ${error.message}`),
    once(child, 'exit', failed).then(([code, signal]) => `it ended with ${signal ?? `code ${code}`}`),
  ]);
  refused.catch(() => {});
  const why = await Promise.race([refused, waitUntilListening(options, failed.signal)]);
  failed.abort();
  if (why === null) return child;
  child.kill('SIGKILL');
  const tail = await logTail(log);
  throw new Error(`mongod on port ${options.port} did not start: ${why}.\nThe end of ${log}:\n${tail}`);
}

/** Ends a process of ours and resolves when it is gone. `SIGTERM` becomes `SIGKILL` when it takes too long. */
export async function endMongod(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  if (child.pid === undefined || hasEnded(child)) return;
  const gone = once(child, 'exit');
  // One that is stopped (SIGSTOP) would never see SIGTERM.
  child.kill('SIGCONT');
  child.kill(signal);
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
  await gone;
  clearTimeout(timer);
}

export function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

/**
 * Ends the mongod that still uses a folder, left behind by a service that was killed. Answers its number, or null when
 * there is none. mongod writes its number into a file of its data folder and empties that when it ends in order.
 */
export async function endStaleMongod(folder: string): Promise<number | null> {
  const data = dataFolder(folder);
  const pid = Number.parseInt(await readFile(join(data, 'mongod.lock'), 'utf8').catch(() => ''), 10);
  if (!(pid > 0)) return null;
  const startTime = await startTimeOf(pid);
  if (!(await describeProcess(pid))?.includes(`--dbpath ${data} `)) return null;
  const deadline = Date.now() + STOP_MS_MAX;
  for (const signal of ['SIGCONT', 'SIGTERM'] as const) process.kill(pid, signal);
  while (startTime !== null && (await startTimeOf(pid)) === startTime) {
    if (Date.now() > deadline) process.kill(pid, 'SIGKILL');
    await sleep(POLL_MS);
  }
  return pid;
}

function dataFolder(folder: string): string {
  return join(folder, 'data');
}

function mongodArguments(options: MongodOptions, data: string, log: string): string[] {
  return [
    ...['--dbpath', data, '--logpath', log],
    ...['--bind_ip', options.place.host, '--port', String(options.port), '--nounixsocket'],
    ...['--replSet', options.replicaSet, '--oplogSize', String(OPLOG_MB)],
    ...['--wiredTigerCacheSizeGB', cacheGiB()],
    ...['--setParameter', 'diagnosticDataCollectionEnabled=false'],
    // A secondary whose source stopped answering looks for another one after this and half an election timeout.
    ...['--setParameter', 'oplogNetworkTimeoutBufferSeconds=1'],
    // A member that is asked to end need not wait 15 s for clients: the driver moves to another member by itself.
    ...['--setParameter', 'shutdownTimeoutMillisForSignaledShutdown=500'],
  ];
}

/** MongoDB takes half of the memory for its cache unless told: too much for three on one machine that does other work. */
function cacheGiB(): string {
  const share = (CACHE_SHARE * totalmem()) / 2 ** 30;
  return Math.min(CACHE_GIB.max, Math.max(CACHE_GIB.min, share)).toFixed(2);
}

async function waitUntilListening({ place, port }: MongodOptions, signal: AbortSignal): Promise<string | null> {
  const deadline = Date.now() + START_MS_MAX;
  while (Date.now() < deadline && !signal.aborted) {
    if (await isListening(place.host, port)) return null;
    await sleep(POLL_MS);
  }
  return `it did not listen within ${START_MS_MAX / 1000} s`;
}

async function isListening(host: string, port: number): Promise<boolean> {
  const socket = connect({ host, port });
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

async function logTail(log: string): Promise<string> {
  const text = await readFile(log, 'utf8').catch(() => '');
  const lines = text.trim().split('\n');
  const errors = lines.filter((line) => /"s":"[EF]"/.test(line));
  const shown = (errors.length > 0 ? errors : lines).slice(-LOG_LINES_SHOWN);
  return shown.map((line) => `  ${line.slice(0, LOG_LINE_CHARACTERS_MAX)}`).join('\n');
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}

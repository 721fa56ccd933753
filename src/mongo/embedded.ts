/**
 * A replica set of our own on this machine, with real mongod processes that listen on 127.0.0.1 only. It serves those
 * who set no MONGODB_URI, the demo, the benchmark and the tests; the latter also kill its members.
 *
 * Data stays in `dataDir` between runs. A service that was killed leaves its mongod processes behind: the next start
 * in the same folder ends them first. Nothing acknowledged is lost by that, as writes are journaled on a majority.
 */
import type { ChildProcess } from 'node:child_process';
import { rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Document, MongoClient, MongoServerError } from 'mongodb';
import type { Log } from '../ledger/ports.ts';
import { repairDriver } from './driver-repair.ts';
import {
  createThrowAwayFolder,
  endStaleMembers,
  isInUse,
  memberFolder,
  readPorts,
  releaseFolder,
  takeFolder,
  writePorts,
} from './embedded-folder.ts';
import { freePorts, isFree } from './free-ports.ts';
import { requireMongod } from './mongod-binary.ts';
import { endMongod, hasEnded, type Place, startMongod } from './mongod-process.ts';

const REPLICA_SET = 'kvitt';
const ELECTION_TIMEOUT_MS = 2000;
const HEARTBEAT_INTERVAL_MS = 500;
/** After this a silent member is no longer read from by the others, which majority writes wait for. */
const HEARTBEAT_TIMEOUT_S = 2;
const READY_MS_MAX = 60_000;
const HELLO_MS_MAX = 2000;
const POLL_MS = 100;
const NOT_YET_INITIALIZED = 94;
const LOOPBACK: Place = { host: '127.0.0.1', within: [] };

export interface EmbeddedOptions {
  /** Folder for data and logs, made when missing; null: a temporary one that {@link EmbeddedReplicaSet.stop} removes. */
  readonly dataDir: string | null;
  /** 3 unless given. Existing data keeps its number. */
  readonly members?: number;
  /** One per member; chosen and remembered unless given. Only for a new folder. */
  readonly ports?: readonly number[];
  /** Where each member runs; all on 127.0.0.1 unless given. Only for a throw-away folder. */
  readonly places?: readonly Place[];
  readonly log: Log;
}

export interface EmbeddedMember {
  readonly port: number;
  /** Host and port. */
  readonly address: string;
  /** Holds its data and its log. */
  readonly folder: string;
  /** Of the process that runs now or ran last. */
  readonly pid: number;
  /** Is it gone, by itself or because it was killed? */
  readonly hasEnded: boolean;
  /** SIGKILL and SIGTERM resolve when the process is gone; SIGSTOP and SIGCONT at once. */
  kill(signal: 'SIGKILL' | 'SIGTERM' | 'SIGSTOP' | 'SIGCONT'): Promise<void>;
}

export interface EmbeddedReplicaSet {
  readonly uri: string;
  /** Absolute path of the folder with data and logs. */
  readonly dataDir: string;
  readonly members: readonly EmbeddedMember[];
  /** Index of the member that takes writes now, or null while there is none (an election takes 2-5 s). */
  primaryIndex(): Promise<number | null>;
  /** Ends the member if it runs, starts it on its port and data, and resolves when it is primary or secondary again. */
  restart(index: number): Promise<void>;
  /** Ends all members and gives the folder free. May be called twice. */
  stop(): Promise<void>;
}

/** Resolves when all members are up and one takes writes. Throws an Error that says why when that does not come true. */
export async function startEmbeddedReplicaSet(options: EmbeddedOptions): Promise<EmbeddedReplicaSet> {
  const { path: binary, version } = await requireMongod();
  const dataDir = options.dataDir === null ? await createThrowAwayFolder() : resolve(options.dataDir);
  await takeFolder(dataDir);
  const set = new Embedded(binary, dataDir, options);
  try {
    const ended = await endStaleMembers(dataDir);
    if (ended.length > 0) options.log.warn({ pids: ended, dataDir }, 'ended mongod processes left by a killed run');
    await set.start(await choosePorts(dataDir, options));
  } catch (error) {
    await set.stop();
    throw error;
  }
  options.log.info({ uri: set.uri, dataDir, mongod: version }, 'embedded replica set is ready');
  return set;
}

/** Where the replica set of a folder is, while another process runs it; null: nobody does. */
export async function runningEmbeddedUri(dataDir: string): Promise<string | null> {
  const folder = resolve(dataDir);
  if (!(await isInUse(folder))) return null;
  const ports = await readPorts(folder);
  return ports && uriOf(ports.map((port) => `${LOOPBACK.host}:${port}`));
}

function uriOf(addresses: readonly string[]): string {
  return `mongodb://${addresses.join(',')}/?replicaSet=${REPLICA_SET}`;
}

async function choosePorts(dataDir: string, options: EmbeddedOptions): Promise<number[]> {
  const remembered = await readPorts(dataDir);
  const ports = remembered ?? options.ports ?? (await freePorts(options.members ?? 3));
  for (const port of ports) {
    if (await isFree(port)) continue;
    throw new Error(`Port ${port} of the embedded replica set in ${dataDir} is used by another program. End that one.`);
  }
  if (!remembered) await writePorts(dataDir, ports);
  return [...ports];
}

class Member implements EmbeddedMember {
  #child: ChildProcess | null = null;
  /** False while somebody wants it to be gone. */
  #wanted = false;
  #stopped = false;

  constructor(
    readonly port: number,
    private readonly place: Place,
    private readonly binary: string,
    readonly folder: string,
    private readonly log: Log,
  ) {}

  get address(): string {
    return `${this.place.host}:${this.port}`;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  get hasEnded(): boolean {
    return this.#child === null || hasEnded(this.#child);
  }

  get #answers(): boolean {
    return !this.hasEnded && !this.#stopped;
  }

  async start(): Promise<void> {
    const { binary, folder, place, port } = this;
    const child = await startMongod({ binary, folder, place, port, replicaSet: REPLICA_SET });
    this.#child = child;
    this.#wanted = true;
    this.#stopped = false;
    child.on('error', (error) => this.log.error({ port, pid: child.pid, error }, 'a signal did not reach mongod'));
    child.once('exit', (code, signal) => {
      if (!this.#wanted) return;
      this.log.error({ port, pid: child.pid, code, signal, folder }, 'a mongod ended by itself; see its log');
    });
  }

  async kill(signal: 'SIGKILL' | 'SIGTERM' | 'SIGSTOP' | 'SIGCONT'): Promise<void> {
    if (this.#child === null) return;
    if (signal === 'SIGSTOP' || signal === 'SIGCONT') {
      this.#stopped = signal === 'SIGSTOP';
      this.#child.kill(signal);
      return;
    }
    this.#wanted = false;
    await endMongod(this.#child, signal);
  }

  /** For the end of our own process, where nothing can be waited for. */
  killNow(signal: NodeJS.Signals): void {
    this.#wanted = false;
    this.#child?.kill(signal);
  }

  /** The member's own view; null when it does not answer. */
  async hello(): Promise<Document | null> {
    return this.#answers ? this.command({ hello: 1 }).catch(() => null) : null;
  }

  /** Runs an admin command on this member alone. */
  async command(command: Document): Promise<Document> {
    repairDriver();
    const client = new MongoClient(`mongodb://${this.address}/?directConnection=true`, {
      serverSelectionTimeoutMS: HELLO_MS_MAX,
      connectTimeoutMS: HELLO_MS_MAX,
      socketTimeoutMS: READY_MS_MAX,
    });
    const signal = AbortSignal.timeout('hello' in command ? HELLO_MS_MAX : READY_MS_MAX);
    try {
      return await client.db('admin').command(command, { signal });
    } finally {
      await client.close();
    }
  }
}

class Embedded implements EmbeddedReplicaSet {
  members: Member[] = [];
  readonly #atExit = () => this.#endAtExit();
  readonly #throwAway: boolean;

  constructor(
    private readonly binary: string,
    readonly dataDir: string,
    private readonly options: EmbeddedOptions,
  ) {
    this.#throwAway = options.dataDir === null;
  }

  get uri(): string {
    return uriOf(this.members.map(({ address }) => address));
  }

  async start(ports: readonly number[]): Promise<void> {
    this.members = ports.map((port, index) => {
      const { places, log } = this.options;
      return new Member(port, places?.[index] ?? LOOPBACK, this.binary, memberFolder(this.dataDir, index), log);
    });
    process.on('exit', this.#atExit);
    const starts = await Promise.allSettled(this.members.map((member) => member.start()));
    const failed = starts.find((start) => start.status === 'rejected');
    if (failed) throw failed.reason;
    await this.#initiateOnce();
    await waitFor('a primary and all secondaries', async () => {
      const views = await Promise.all(this.members.map((member) => member.hello()));
      return views.every(isReady) && views.some((view) => view?.isWritablePrimary);
    });
  }

  async primaryIndex(): Promise<number | null> {
    const views = await Promise.all(this.members.map((member) => member.hello()));
    const primaries = views.flatMap((view, index) => (view?.isWritablePrimary ? [{ view, index }] : []));
    // One that was stopped may believe for a moment that it still leads: the later election counts.
    primaries.sort((a, b) => String(b.view.electionId).localeCompare(String(a.view.electionId)));
    return primaries[0]?.index ?? null;
  }

  async restart(index: number): Promise<void> {
    const member = this.members[index];
    if (!member) throw new Error(`There is no member ${index}; there are ${this.members.length}.`);
    await member.kill('SIGTERM');
    await member.start();
    await waitFor(`member ${index}`, async () => isReady(await member.hello()));
  }

  async stop(): Promise<void> {
    // What is thrown away need not be left in order.
    const signal = this.#throwAway ? 'SIGKILL' : 'SIGTERM';
    await Promise.all(this.members.map((member) => member.kill(signal)));
    process.off('exit', this.#atExit);
    if (this.#throwAway) await rm(this.dataDir, { recursive: true, force: true });
    else await releaseFolder(this.dataDir);
  }

  async #initiateOnce(): Promise<void> {
    const [first] = this.members;
    const status = await first?.command({ replSetGetStatus: 1 }).catch((error) => {
      if (error instanceof MongoServerError && error.code === NOT_YET_INITIALIZED) return null;
      throw error;
    });
    if (status !== null) return;
    await first?.command({
      replSetInitiate: {
        _id: REPLICA_SET,
        members: this.members.map(({ address }, _id) => ({ _id, host: address })),
        settings: {
          electionTimeoutMillis: ELECTION_TIMEOUT_MS,
          heartbeatIntervalMillis: HEARTBEAT_INTERVAL_MS,
          heartbeatTimeoutSecs: HEARTBEAT_TIMEOUT_S,
        },
      },
    });
  }

  #endAtExit(): void {
    for (const member of this.members) member.killNow(this.#throwAway ? 'SIGKILL' : 'SIGTERM');
    if (this.#throwAway) rmSync(this.dataDir, { recursive: true, force: true, maxRetries: 5 });
  }
}

function isReady(view: Document | null): boolean {
  return Boolean(view?.isWritablePrimary || view?.secondary);
}

async function waitFor(what: string, isTrue: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + READY_MS_MAX;
  while (!(await isTrue())) {
    if (Date.now() > deadline) {
      throw new Error(`The embedded replica set waited ${READY_MS_MAX / 1000} s in vain for ${what}; see its logs.`);
    }
    await sleep(POLL_MS);
  }
}

/**
 * Starts Apache ZooKeeper, one server or an ensemble, with throw-away data. Needs `java` and, once, `mvn`; its jars are
 * kept in the user's cache folder.
 */
import type { ChildProcess } from 'node:child_process';
import { mkdir, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort, freePorts } from '../../src/mongo/free-ports.ts';
import { hasEnded } from '../../src/mongo/mongod-process.ts';
import { endJava, fetchJars, startJava, untilAnswering } from './java.ts';

const VERSION = '3.9.5';
/** ZooKeeper leaves it to its installation to bring the others along; the versions are those that it is built with. */
const ARTIFACTS = [
  `org.apache.zookeeper:zookeeper:${VERSION}`,
  'ch.qos.logback:logback-classic:1.3.15',
  'io.dropwizard.metrics:metrics-core:4.1.12.1',
  'org.xerial.snappy:snappy-java:1.1.10.5',
];
const TICK_MS = 200;
/** What members of an ensemble give each other on a busy machine: to follow a new leader, and to answer. */
const INIT_MS_MAX = 20_000;
const SYNC_MS_MAX = 5_000;
const LOOPBACK = '127.0.0.1';
const ANSWER_MS_MAX = 2_000;
const ELECTION_MS_MAX = 60_000;
const POLL_MS = 50;
const LOG_LINES_SHOWN = 15;

/** All signals and ends are those of the process; the port and the data stay. */
export interface ZooKeeperServer {
  readonly host: string;
  readonly port: number;
  /** Host and port. */
  readonly connect: string;
  /** Null while it does not run. */
  readonly pid: number | null;
  /** Resolves when it serves requests, which a member of an ensemble does with most of the others only. */
  start(): Promise<void>;
  stop(): Promise<void>;
  kill(): Promise<void>;
  signal(name: 'SIGSTOP' | 'SIGCONT'): void;
}

export interface ZooKeeper {
  readonly connect: string;
  readonly server: ZooKeeperServer;
  /** Removes the data, too. */
  stop(): Promise<void>;
}

export interface Ensemble {
  /** Of all servers. */
  readonly connect: string;
  readonly servers: readonly ZooKeeperServer[];
  /** The one that leads now, or as soon as one does. */
  leader(): Promise<ZooKeeperServer>;
  /** Removes the data, too. */
  stop(): Promise<void>;
}

export interface EnsembleOptions {
  /** Sessions time out after two of these at the soonest. */
  readonly tickMs?: number;
  /** Further lines of the configuration file, or others than the usual ones. */
  readonly properties?: Readonly<Record<string, string>>;
}

export interface ZooKeeperOptions extends EnsembleOptions {
  /** The address at which it listens; this process, too, must reach it there. */
  readonly host?: string;
  readonly networkNamespace?: string;
}

/** One server that needs no others. */
export async function startZooKeeper(options: ZooKeeperOptions = {}): Promise<ZooKeeper> {
  const { host = LOOPBACK, networkNamespace } = options;
  const [jars, port, folder] = await Promise.all([fetchZooKeeper(), freePort(), createFolder()]);
  const within = networkNamespace === undefined ? [] : ['ip', 'netns', 'exec', networkNamespace];
  const server = new Server({ jars, folder, host, port: port!, within, properties: propertiesOf(options) });
  const stop = () => discard([server], folder);
  await startOrDiscard([server], stop);
  return { connect: server.connect, server, stop };
}

export async function startEnsemble(count: number, options: EnsembleOptions = {}): Promise<Ensemble> {
  const [jars, ports, folder] = await Promise.all([fetchZooKeeper(), freePorts(3 * count), createFolder()]);
  const ids = Array.from({ length: count }, (_, index) => index + 1);
  const [clientPorts, peerPorts, electionPorts] = [0, 1, 2].map((part) => ports.slice(part * count)) as number[][];
  const members = ids.map((id, index) => [`server.${id}`, `${LOOPBACK}:${peerPorts![index]}:${electionPorts![index]}`]);
  const properties = { ...Object.fromEntries(members), ...propertiesOf(options) };
  const servers = ids.map((id, index) => {
    const place = { host: LOOPBACK, port: clientPorts![index]!, within: [] };
    return new Server({ jars, folder: join(folder, String(id)), ...place, properties, id });
  });
  const stop = () => discard(servers, folder);
  await startOrDiscard(servers, stop);
  const addresses = servers.map((server) => server.connect);
  return { connect: addresses.join(), servers, leader: () => leaderOf(servers), stop };
}

/** The answer of a server to one of its four-letter commands such as `srvr` and `mntr`; empty when there is none. */
export async function fourLetterWord(server: ZooKeeperServer, word: string): Promise<string> {
  const socket = connect({ host: server.host, port: server.port });
  socket.setTimeout(ANSWER_MS_MAX, () => socket.destroy(new Error(`no answer from ${server.connect}`)));
  socket.write(word);
  try {
    let answer = '';
    for await (const chunk of socket) answer += chunk;
    return answer;
  } catch {
    return '';
  }
}

interface ServerPlan {
  readonly jars: string;
  /** Its own: configuration, data and logs. */
  readonly folder: string;
  readonly host: string;
  readonly port: number;
  readonly within: readonly string[];
  readonly properties: Readonly<Record<string, string>>;
  /** In an ensemble, where the properties name all members by theirs. */
  readonly id?: number;
}

class Server implements ZooKeeperServer {
  readonly #plan: ServerPlan;
  #child: ChildProcess | null = null;

  constructor(plan: ServerPlan) {
    this.#plan = plan;
  }

  get host(): string {
    return this.#plan.host;
  }

  get port(): number {
    return this.#plan.port;
  }

  get connect(): string {
    return `${this.host}:${this.port}`;
  }

  get pid(): number | null {
    return this.#child === null || hasEnded(this.#child) ? null : (this.#child.pid ?? null);
  }

  async start(): Promise<void> {
    if (this.pid !== null) throw new Error(`ZooKeeper at ${this.connect} runs already`);
    await this.#configure();
    const child = await this.#spawn();
    this.#child = child;
    try {
      await untilAnswering(`ZooKeeper at ${this.connect}`, child, async () => (await statusOf(this)) !== null);
    } catch (error) {
      await endJava(child, 'SIGKILL');
      throw new Error(`${(error as Error).message}\n${await this.#logTail()}`, { cause: error });
    }
  }

  async stop(): Promise<void> {
    if (this.#child !== null) await endJava(this.#child, 'SIGTERM');
  }

  async kill(): Promise<void> {
    if (this.#child !== null) await endJava(this.#child, 'SIGKILL');
  }

  signal(name: 'SIGSTOP' | 'SIGCONT'): void {
    if (this.pid === null) throw new Error(`ZooKeeper at ${this.connect} does not run`);
    this.#child?.kill(name);
  }

  async #configure(): Promise<void> {
    const { host, port, id, properties } = this.#plan;
    const data = this.#file('data');
    await mkdir(data, { recursive: true });
    if (id !== undefined) await writeFile(join(data, 'myid'), String(id));
    const all = { dataDir: data, clientPortAddress: host, clientPort: port, ...properties };
    const lines = Object.entries(all).map(([name, value]) => `${name}=${value}\n`);
    await writeFile(this.#file('zoo.cfg'), lines.join(''));
    await writeFile(
      this.#file('logback.xml'),
      `<configuration>
<appender name="file" class="ch.qos.logback.core.FileAppender"><file>${this.#file('server.log')}</file>
<encoder><pattern>%d{HH:mm:ss.SSS} %-5level %logger{0} - %msg%n</pattern></encoder></appender>
<root level="INFO"><appender-ref ref="file"/></root>
</configuration>`,
    );
  }

  async #spawn(): Promise<ChildProcess> {
    const { jars, within } = this.#plan;
    const output = await open(this.#file('output.log'), 'a');
    try {
      return startJava(
        [
          ...['-Xmx128m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-XX:-UsePerfData'],
          `-Dlogback.configurationFile=${this.#file('logback.xml')}`,
          '-Dzookeeper.admin.enableServer=false',
          ...['-cp', join(jars, '*')],
          'org.apache.zookeeper.server.quorum.QuorumPeerMain',
          this.#file('zoo.cfg'),
        ],
        { within, output: output.fd },
      );
    } finally {
      await output.close();
    }
  }

  async #logTail(): Promise<string> {
    const files = [this.#file('output.log'), this.#file('server.log')];
    const texts = await Promise.all(files.map((file) => readFile(file, 'utf8').catch(() => '')));
    const lines = texts.flatMap((text) => text.trimEnd().split('\n').slice(-LOG_LINES_SHOWN));
    return lines.map((line) => `  ${line}`).join('\n');
  }

  #file(name: string): string {
    return join(this.#plan.folder, name);
  }
}

function propertiesOf({ tickMs = TICK_MS, properties }: EnsembleOptions): Record<string, string> {
  return {
    tickTime: String(tickMs),
    initLimit: String(Math.ceil(INIT_MS_MAX / tickMs)),
    syncLimit: String(Math.ceil(SYNC_MS_MAX / tickMs)),
    maxSessionTimeout: '60000',
    maxClientCnxns: '0',
    '4lw.commands.whitelist': '*',
    // Nobody needs the data after a power cut.
    forceSync: 'no',
    ...properties,
  };
}

async function fetchZooKeeper(): Promise<string> {
  return fetchJars(`zookeeper-${VERSION}`, ARTIFACTS);
}

async function createFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'zookeeper-'));
}

async function startOrDiscard(servers: readonly Server[], stop: () => Promise<void>): Promise<void> {
  try {
    await Promise.all(servers.map((server) => server.start()));
  } catch (error) {
    await stop();
    throw error;
  }
}

/** What is thrown away need not be left in order. */
async function discard(servers: readonly Server[], folder: string): Promise<void> {
  await Promise.all(servers.map((server) => server.kill()));
  await rm(folder, { recursive: true, force: true });
}

interface Status {
  readonly mode: string;
  /** Of the last transaction; higher in each later reign. */
  readonly transaction: bigint;
}

/** Null when it does not serve requests. */
async function statusOf(server: ZooKeeperServer): Promise<Status | null> {
  const answer = await fourLetterWord(server, 'srvr');
  const mode = /^Mode: (\w+)$/m.exec(answer)?.[1];
  const transaction = /^Zxid: (0x[0-9a-f]+)$/m.exec(answer)?.[1];
  return mode === undefined || transaction === undefined ? null : { mode, transaction: BigInt(transaction) };
}

async function leaderOf(servers: readonly Server[]): Promise<Server> {
  for (const until = Date.now() + ELECTION_MS_MAX; Date.now() < until; await sleep(POLL_MS)) {
    const statuses = await Promise.all(servers.map((server) => statusOf(server)));
    const leaders = servers.flatMap((server, index) => {
      const status = statuses[index]!;
      return status?.mode === 'leader' ? [{ server, transaction: status.transaction }] : [];
    });
    // One that was stopped may believe for a moment that it still leads: the later reign counts.
    leaders.sort((a, b) => (a.transaction < b.transaction ? 1 : -1));
    if (leaders[0] !== undefined) return leaders[0].server;
  }
  throw new Error(`no server of the ensemble led within ${ELECTION_MS_MAX} ms`);
}

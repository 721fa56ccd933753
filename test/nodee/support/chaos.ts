/** Hosts to which a seeded plan of deeds is done, while what they run is watched. */
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cloudname } from '../../../src/cloudname/cloudname.ts';
import type { Coordinate } from '../../../src/cloudname/coordinate.ts';
import { freePorts } from '../../../src/mongo/free-ports.ts';
import { fleetCoordinate } from '../../../src/nodee/fleet.ts';
import type { HostReport } from '../../../src/nodee/types.ts';
import { identityOf, isAlive, type ProcessIdentity, statOf } from '../../../src/processes/proc.ts';
import type { Random } from '../../simulation/virtual-world.ts';
import { AgentOnHost, type Answer, type Nodee, nodee } from './hosts.ts';
import { keepersIn, type Marked, markedBy } from './marked.ts';

const MARK = 'CHAOS_MARK';
const HOSTS = ['ann', 'bob', 'cat'];
const SESSION_MS = 3_000;
/** So long after something was done it is known what came of it. */
const SETTLED_MS = 8_000;
/** Longer than a session, and than it takes to be replaced. */
const LONG_MS = 7_000;
const DESTROY_TRIES = 200;
const PROBE_MS = 100;
const PROBE_MS_MAX = 30_000;
/** Says who it is, again and again; the kernel puts what is appended into one order. */
const SOLO = `import { appendFileSync } from 'node:fs';
const [, , file, host] = process.argv;
setInterval(() => appendFileSync(file, host + ' ' + process.pid + '\\n'), 20);
`;
const WEB = `import { createServer } from 'node:http';
if (process.env.KIND === 'ends') process.exit(3);
const status = process.env.KIND === 'ill' ? 500 : 200;
createServer((_, response) => response.writeHead(status).end()).listen(process.env.PORT_HTTP, '127.0.0.1');
process.on('SIGTERM', () => process.exit(0));
`;

export interface Ref {
  readonly id: string;
  readonly sha256: string;
}

interface Wish {
  readonly kind: string;
  readonly instances: number;
  readonly hosts: readonly string[] | null;
  readonly update: string;
}

const CALM: Wish = { kind: 'well', instances: 2, hosts: null, update: 'roll' };

/** Answers what was done. */
type Deed = () => Promise<string>;

export class ChaosHosts {
  readonly mark = randomBytes(8).toString('hex');
  readonly agents: readonly AgentOnHost[];
  /** Everything that was done, for whoever looks into a failure. */
  readonly diary: string[] = [];
  /** Moments in which nothing of `web` answered though nothing had been done to it. */
  readonly outages: string[] = [];
  readonly #frozen: ProcessIdentity[] = [];
  readonly #random: Random;
  readonly #tool: Nodee;
  readonly #ref: Ref;
  readonly #over = new AbortController();
  readonly #began = performance.now();
  #version = 0;
  /** Null: nothing was done to `web` from which it has not come back. */
  #harmedAt: number | null = 0;
  #wish = CALM;
  #watching: Promise<void> = Promise.resolve();

  private constructor(tool: Nodee, random: Random, ports: readonly number[], ref: Ref) {
    this.#tool = tool;
    this.#random = random;
    this.#ref = ref;
    const network = { place: () => ({ host: '127.0.0.1', within: [] }) };
    this.agents = HOSTS.map((host, n) => {
      const own = { NODEE_PORT: String(ports[n]), NODEE_PORTS: '20000-29999', NODEE_ALLOW_ROOT: 'true' };
      return new AgentOnHost(tool, network, host, own);
    });
  }

  static async create(program: readonly string[], folder: string, connect: string, random: Random) {
    const environment = {
      ZOOKEEPER_CONNECT: connect,
      ZOOKEEPER_SESSION_MS: String(SESSION_MS),
      NODEE_COORDINATE: 'nodee.chaos.test',
      NODEE_TOKEN: randomBytes(32).toString('hex'),
      HOME: folder,
    };
    const tool = { program, folder, environment };
    const out = join(folder, 'app.tar.gz');
    await mkdir(join(folder, 'app'));
    await writeFile(join(folder, 'app', 'solo.mjs'), SOLO);
    await writeFile(join(folder, 'app', 'web.mjs'), WEB);
    const packed = await nodee(tool, 'pack', join(folder, 'app'), '--id', 'test:app:1', '--out', out, '--json');
    const ref = JSON.parse(packed.stdout) as Ref;
    const hosts = new ChaosHosts(tool, random, await freePorts(HOSTS.length), ref);
    await Promise.all(hosts.agents.map((agent) => agent.start()));
    await hosts.run('push', out, '--id', 'test:app:1', '--host', 'all');
    return hosts;
  }

  get beats(): string {
    return join(this.#tool.folder, 'beats.txt');
  }

  async run(...args: string[]): Promise<Answer> {
    return nodee(this.#tool, ...args);
  }

  async apply(services: object, ...flags: string[]): Promise<Answer> {
    const file = join(this.#tool.folder, 'fleet.yaml');
    await writeFile(file, JSON.stringify({ replace_after: '3s', services }));
    return this.run('apply', file, '--yes', ...flags);
  }

  /** Another version each time. */
  services(wish = CALM): object {
    const { kind, instances, hosts, update } = wish;
    this.#wish = wish;
    this.#version += 1;
    const common = { artifact: this.#ref, hosts, restart: { backoff: '200ms', max: 1_000 }, grace: '2s' };
    const env = { [MARK]: this.mark, VERSION: String(this.#version) };
    // A machine that stands still makes nobody ill.
    const health = { port: 'http', http: '/', every: '300ms', timeout: '10s', startup: '10s', failures: 10 };
    return {
      solo: {
        ...common,
        command: [process.execPath, 'solo.mjs', this.beats, `\${host}`],
        env,
        cutoff: 'kill',
      },
      web: {
        ...common,
        instances,
        command: [process.execPath, 'web.mjs'],
        ports: { http: null },
        env: { ...env, KIND: kind },
        health,
        update,
      },
    };
  }

  get marked(): Marked[] {
    return markedBy(MARK, this.mark);
  }

  /** Looks at `web` until it is ended. */
  watch(cloudname: Cloudname): void {
    this.#watching = this.#watch(cloudname);
  }

  #harm(): void {
    this.#harmedAt = performance.now();
  }

  async #isRecovered(cloudname: Cloudname): Promise<boolean> {
    const { instances, hosts, update } = this.#wish;
    const isCalm = instances === CALM.instances && hosts === CALM.hosts && update === CALM.update;
    // Before, the leader may not know yet.
    if (!isCalm || performance.now() - this.#harmedAt! < SETTLED_MS) return false;
    const leader = await cloudname.status(fleetCoordinate({ user: 'chaos', cell: 'test' })).catch(() => null);
    return leader?.status.message === 'all is as wanted';
  }

  async #watch(cloudname: Cloudname): Promise<void> {
    const { signal } = this.#over;
    while (!signal.aborted) {
      const answering = await this.#answering();
      if (this.#harmedAt !== null) {
        if (answering >= CALM.instances && (await this.#isRecovered(cloudname))) this.#harmedAt = null;
      } else if (answering === 0) {
        this.#harm();
        this.outages.push(this.#note('nothing answers'));
      }
      await sleep(PROBE_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  async #answering(): Promise<number> {
    const ports = new Set(this.marked.flatMap(({ env }) => env.PORT_HTTP ?? []));
    const answers = await Promise.all(
      [...ports].map((port) =>
        fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(PROBE_MS_MAX) })
          .then(({ ok }) => ok)
          .catch(() => false),
      ),
    );
    return answers.filter(Boolean).length;
  }

  #note(text: string): string {
    const line = `${((performance.now() - this.#began) / 1000).toFixed(1)} s: ${text}`;
    this.diary.push(line);
    return line;
  }

  #pick<T>(all: readonly T[]): T | undefined {
    return all[Math.floor(this.#random() * all.length)];
  }

  /** Deeds, one after the other. After gentle ones some of `web` answers all the while. */
  async afflict(cloudname: Cloudname, count: number, kind: 'gentle' | 'any'): Promise<void> {
    const all = { ...this.#gentleDeeds(cloudname), ...(kind === 'any' && this.#harshDeeds(cloudname)) };
    for (let done = 0; done < count; done++) {
      const [name, deed] = this.#pick(Object.entries(all))!;
      const what = await deed().catch((error: Error) => `failed: ${error.message}`);
      this.#note(`${name} ${what}`);
      await sleep(200 + 1_300 * this.#random());
    }
  }

  #gentleDeeds(cloudname: Cloudname): Record<string, Deed> {
    return {
      kill: () => this.#restart('SIGKILL', 'nothing'),
      end: () => this.#restart('SIGTERM', 'desired.json'),
      freeze: () => this.#freeze((SESSION_MS / 4) * this.#random()),
      roll: () => this.#change({}),
      rollAgain: () => this.#change({}),
      ill: () => this.#change({ kind: 'ill' }),
      ends: () => this.#change({ kind: 'ends' }),
      deleteStatus: async () => {
        const coordinate = this.#pick(await agentsIn(cloudname))!;
        await cloudname.session.delete(coordinate.statusPath).catch(() => undefined);
        return String(coordinate);
      },
      nonsense: async () => {
        const coordinate = this.#pick(await agentsIn(cloudname))!;
        await cloudname.setConfig(coordinate, this.#pick(['', '{"generation"', '{"generation":1}'])!, null);
        return String(coordinate);
      },
    };
  }

  #harshDeeds(cloudname: Cloudname): Record<string, Deed> {
    const harsh = (deed: Deed) => async () => {
      this.#harm();
      const what = await deed();
      this.#harm();
      return what;
    };
    const processes = () => this.marked.flatMap(({ pid }) => identity(pid));
    const keepers = () => this.agents.flatMap(({ host }) => keepersIn(join(this.#tool.folder, host)));
    return {
      killForLong: harsh(() => this.#restart('SIGKILL', 'nothing', LONG_MS)),
      killAndLose: harsh(() => this.#restart('SIGKILL', this.#pick(['coordinate', 'session.json'])!)),
      endForLong: harsh(() => this.#restart('SIGTERM', 'nothing', LONG_MS)),
      freezeForLong: harsh(() => this.#freeze(LONG_MS * this.#random())),
      killKeeper: harsh(() => this.#signal('SIGKILL', keepers())),
      killProcess: harsh(() => this.#signal('SIGKILL', processes())),
      freezeProcess: harsh(() => this.#signal('SIGSTOP', processes())),
      more: harsh(() => this.#change({ instances: 3 })),
      fewer: harsh(() => this.#change({ instances: 1 })),
      elsewhere: harsh(() => this.#change({ hosts: [this.#pick(HOSTS)!, this.#pick(HOSTS)!] })),
      replace: harsh(() => this.#change({ update: 'replace' })),
      drain: harsh(() => this.#drain('drain')),
      undrain: harsh(() => this.#drain('undrain')),
      destroy: harsh(() => this.#destroy(cloudname)),
    };
  }

  async #restart(signal: 'SIGKILL' | 'SIGTERM', lost: string, ms = 300 * this.#random()): Promise<string> {
    const agent = this.#pick(this.agents)!;
    await agent.end(signal);
    await rm(join(this.#tool.folder, agent.host, lost), { force: true });
    await sleep(ms);
    await agent.start();
    return `${agent.host}, without ${lost}, for ${ms.toFixed(0)} ms`;
  }

  async #freeze(ms: number): Promise<string> {
    const agent = this.#pick(this.agents)!;
    process.kill(agent.pid, 'SIGSTOP');
    await sleep(ms);
    process.kill(agent.pid, 'SIGCONT');
    return `${agent.host} for ${ms.toFixed(0)} ms`;
  }

  async #change(wish: Partial<Wish>): Promise<string> {
    const { code, stderr } = await this.apply(this.services({ ...CALM, ...wish }), '--no-wait');
    return `${JSON.stringify(wish)}: ${code} ${stderr}`;
  }

  async #drain(verb: 'drain' | 'undrain'): Promise<string> {
    const host = this.#pick(HOSTS)!;
    const { code, stderr } = await this.run(verb, host, '--no-wait');
    return `${host}: ${code} ${stderr}`;
  }

  async #signal(signal: NodeJS.Signals, victims: readonly ProcessIdentity[]): Promise<string> {
    const victim = this.#pick(victims);
    if (victim === undefined) return 'nothing';
    process.kill(victim.pid, signal);
    if (signal === 'SIGSTOP') this.#frozen.push(victim);
    return String(victim.pid);
  }

  /** Its owner claims it again as soon as it can: whoever comes first. */
  async #destroy(cloudname: Cloudname): Promise<string> {
    const coordinate = this.#pick(await agentsIn(cloudname))!;
    for (let tries = 0; tries < DESTROY_TRIES; tries++) {
      await cloudname.session.delete(coordinate.statusPath).catch(() => undefined);
      const isDone = await cloudname.destroy(coordinate).then(
        () => true,
        () => false,
      );
      if (isDone) return String(coordinate);
    }
    return `not ${coordinate}`;
  }

  /** Undoes what does not pass by itself, and wants what can be had. */
  async heal(): Promise<void> {
    await Promise.all(this.agents.filter((agent) => !agent.isAlive).map((agent) => agent.start()));
    for (const frozen of this.#frozen) if (isAlive(frozen)) process.kill(frozen.pid, 'SIGCONT');
    await this.run('undrain', ...HOSTS, '--no-wait');
    this.#note('healed');
  }

  async reports(): Promise<HostReport[]> {
    const { stdout } = await this.run('status', '--json');
    const { hosts } = JSON.parse(stdout) as { hosts: readonly { report: HostReport | null }[] };
    return hosts.flatMap(({ report }) => report ?? []);
  }

  /** Who beat, one after the other: had two been at it at once, some would come again. */
  async turns(): Promise<string[]> {
    const lines = (await readFile(this.beats, 'utf8')).trimEnd().split('\n');
    return lines.filter((line, index) => line !== lines[index - 1]);
  }

  async unwatch(): Promise<void> {
    this.#over.abort();
    await this.#watching;
  }

  async stop(): Promise<void> {
    await this.unwatch();
    await Promise.all(this.agents.map((agent) => agent.end('SIGTERM')));
  }
}

async function agentsIn(cloudname: Cloudname): Promise<Coordinate[]> {
  return cloudname.list({ service: 'nodee', user: 'chaos', cell: 'test' });
}

function identity(pid: number): ProcessIdentity[] {
  const stat = statOf(pid);
  return stat === null ? [] : [identityOf(stat)];
}

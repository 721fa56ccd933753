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
const DESTROY_TRIES = 200;
const PROBE_MS = 100;
const PROBE_MS_MAX = 5_000;
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
    const health = { port: 'http', http: '/', every: '300ms', timeout: '1s', startup: '10s', failures: 3 };
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

  /** As many as are wanted, one after the other. */
  async afflict(cloudname: Cloudname, deeds: number): Promise<void> {
    const all = this.#deeds(cloudname);
    for (let done = 0; done < deeds; done++) {
      const [name, deed] = this.#pick(Object.entries(all))!;
      const what = await deed().catch((error: Error) => `failed: ${error.message}`);
      this.#note(`${name} ${what}`);
      await sleep(200 + 1_300 * this.#random());
    }
  }

  #deeds(cloudname: Cloudname): Record<string, () => Promise<string>> {
    const anyAgent = () => this.#pick(this.agents)!;
    const again = (signal: 'SIGKILL' | 'SIGTERM') => async () => {
      const agent = anyAgent();
      const lost = this.#random() < 0.3 ? this.#pick(['coordinate', 'session.json', 'desired.json'])! : 'nothing';
      const isLong = this.#random() < 0.3;
      const isLeft = this.#random() < 0.2;
      if (isLong || isLeft || !['desired.json', 'nothing'].includes(lost)) this.#harm();
      await agent.end(signal);
      await rm(join(this.#tool.folder, agent.host, lost), { force: true });
      // Longer than a session, sometimes, and than it takes to be replaced.
      await sleep(isLong ? 8_000 : 300 * this.#random());
      if (!isLeft) await agent.start();
      return `${agent.host}, without ${lost}${isLong ? ', for long' : ''}${isLeft ? ', and not started' : ''}`;
    };
    const change = (wish: Partial<Wish>) => async () => {
      if (['instances', 'hosts', 'update'].some((name) => name in wish)) this.#harm();
      const { code, stderr } = await this.apply(this.services({ ...CALM, ...wish }), '--no-wait');
      return `${JSON.stringify(wish)}: ${code} ${stderr}`;
    };
    const signalled = (signal: NodeJS.Signals, of: () => ProcessIdentity[]) => async () => {
      const victim = this.#pick(of());
      if (victim === undefined) return 'nothing';
      this.#harm();
      process.kill(victim.pid, signal);
      if (signal === 'SIGSTOP') this.#frozen.push(victim);
      return String(victim.pid);
    };
    const processes = () => this.marked.flatMap(({ pid }) => identity(pid));
    const keepers = () => this.agents.flatMap(({ host }) => keepersIn(join(this.#tool.folder, host)));
    return {
      kill: again('SIGKILL'),
      end: again('SIGTERM'),
      freeze: async () => {
        const agent = anyAgent();
        if (!agent.isAlive) return 'nothing';
        const ms = 6_000 * this.#random() ** 2;
        if (ms > SESSION_MS / 4) this.#harm();
        process.kill(agent.pid, 'SIGSTOP');
        await sleep(ms);
        process.kill(agent.pid, 'SIGCONT');
        return `${agent.host} for ${ms.toFixed(0)} ms`;
      },
      start: async () => {
        this.#harm();
        const dead = this.agents.filter(({ isAlive: lives }) => !lives);
        await Promise.all(dead.map((agent) => agent.start()));
        return dead.map(({ host }) => host).join();
      },
      killKeeper: signalled('SIGKILL', keepers),
      killProcess: signalled('SIGKILL', processes),
      freezeProcess: signalled('SIGSTOP', processes),
      roll: change({}),
      rollAgain: change({}),
      ill: change({ kind: 'ill' }),
      ends: change({ kind: 'ends' }),
      more: change({ instances: 3 }),
      fewer: change({ instances: 1 }),
      elsewhere: change({ hosts: [this.#pick(HOSTS)!, this.#pick(HOSTS)!] }),
      replace: change({ update: 'replace' }),
      drain: async () => {
        this.#harm();
        const host = this.#pick(HOSTS)!;
        const verb = this.#random() < 0.5 ? 'drain' : 'undrain';
        const { code } = await this.run(verb, host, '--no-wait');
        return `${verb} ${host}: ${code}`;
      },
      deleteStatus: async () => {
        const coordinate = this.#pick(await agentsIn(cloudname))!;
        await cloudname.session.delete(coordinate.statusPath).catch(() => undefined);
        return String(coordinate);
      },
      destroy: async () => {
        const coordinate = this.#pick(await agentsIn(cloudname))!;
        this.#harm();
        for (let tries = 0; tries < DESTROY_TRIES; tries++) {
          await cloudname.session.delete(coordinate.statusPath).catch(() => undefined);
          const isDone = await cloudname.destroy(coordinate).then(
            () => true,
            () => false,
          );
          if (isDone) return String(coordinate);
        }
        return `not ${coordinate}`;
      },
      nonsense: async () => {
        const coordinate = this.#pick(await agentsIn(cloudname))!;
        await cloudname.setConfig(coordinate, this.#pick(['', '{"generation"', '{"generation":1}'])!, null);
        return String(coordinate);
      },
    };
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

  async stop(): Promise<void> {
    this.#over.abort();
    await this.#watching;
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

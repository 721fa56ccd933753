/** All that is measured, started: servers and callers in processes of their own, the database, balancers. */
import { access, mkdir } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { BALANCERS, Balancer, type BalancerKind } from './balancer.ts';
import { Caller, Child, nodeProgram, startServer } from './child.ts';
import type { Measured, Target } from './messages.ts';
import type { LadderDatabase, LadderParts } from './parts.ts';
import { LADDER_KEY } from './payment-request.ts';
import type { Layer } from './result.ts';
import type { Source } from './sampler.ts';
import { databaseSource, machineSource, processSource, serviceSource } from './sources.ts';

/** Connections that a balancer has at once unless it is told otherwise: more than there are callers. */
export const CONNECTIONS_MAX = 4096;
const READY_MS_MAX = 60_000;
const POLL_MS = 100;
/** Where systems keep programs that not every user's PATH names. */
const SYSTEM_FOLDERS = ['/usr/sbin', '/usr/local/sbin', '/sbin'];

export interface SceneOptions {
  readonly layers: readonly Layer[];
  readonly balancer: BalancerKind | 'none';
  readonly balancerConnectionsMax: number;
  /** For logs, configurations and sockets. */
  readonly folder: string;
}

/** Something that is called, by whom. */
export interface Lane {
  readonly layer: Layer;
  readonly name: string;
  measure(how: { lanes: number; seconds: number; perSecond: number | null }): Promise<Measured>;
}

export interface Scene {
  readonly lanes: readonly Lane[];
  /** The service past its balancer; null: it has none. */
  readonly direct: Lane | null;
  /** Of all that takes part when all of it runs. */
  sources(): Promise<Source[]>;
  close(): Promise<void>;
}

/** Throws an Error that says what did not start; nothing is left of the rest then. */
export async function openScene(parts: LadderParts, options: SceneOptions): Promise<Scene> {
  const stage = new Stage(parts, options);
  try {
    await stage.open();
  } catch (error) {
    await stage.close();
    throw error;
  }
  return stage;
}

class Stage implements Scene {
  readonly lanes: Lane[] = [];
  direct: Lane | null = null;
  readonly #closers: (() => Promise<void>)[] = [];
  #caller: Caller | null = null;
  #database: LadderDatabase | null = null;
  #service: { readonly child: Child; readonly address: string } | null = null;
  #balancer: Balancer | null = null;

  constructor(
    private readonly parts: LadderParts,
    private readonly options: SceneOptions,
  ) {}

  async open(): Promise<void> {
    const { parts } = this;
    await mkdir(this.options.folder, { recursive: true });
    const caller = await Caller.start(this.#node(new URL('./caller-process.ts', import.meta.url), 'caller'));
    this.#caller = caller;
    this.#closers.push(() => caller.end());
    const has = (...layers: Layer[]) => this.options.layers.some((layer) => layers.includes(layer));
    if (has('socket')) {
      const port = await this.#server(new URL('./echo-process.ts', import.meta.url), 'echo');
      this.#addLane('socket', 'TCP echo', caller, { kind: 'echo', port });
    }
    if (has('balancer', 'http')) await this.#addHttp(caller, has('balancer'));
    if (has('validation')) {
      const port = await this.#server(parts.programs.validation, 'validation');
      this.#addLane('validation', 'the API without a ledger', caller, { kind: 'http', port });
    }
    if (has('engine', 'database', 'all')) await this.#startDatabase();
    if (has('engine', 'database')) await this.#addInner();
    if (has('all')) await this.#addAll(caller);
  }

  async sources(): Promise<Source[]> {
    const database = this.#database!;
    const members = await database.status();
    const balancer = this.#balancer;
    return [
      machineSource(),
      processSource('service', this.#service!.child.pid, { loop: true }),
      ...members.map(({ name, pid }) => processSource(name, pid)),
      processSource('generator', this.#caller!.pid, { loop: true }),
      processSource('ladder', process.pid),
      serviceSource(this.#service!.address),
      databaseSource(() => database.status()),
      ...(balancer === null ? [] : [processSource(balancer.kind, balancer.pid, { family: true }), balancer.source]),
    ];
  }

  async close(): Promise<void> {
    const failures: unknown[] = [];
    for (const close of this.#closers.splice(0).reverse()) {
      await close().catch((error: unknown) => failures.push(error));
    }
    if (failures.length > 0) throw new AggregateError(failures, 'a part of the ladder did not end cleanly');
  }

  async #addHttp(caller: Caller, withBalancers: boolean): Promise<void> {
    const port = await this.#server(this.parts.programs.http, 'http');
    for (const kind of withBalancers ? await this.#installed() : []) {
      const balancer = await this.#startBalancer(kind, port, 'alone');
      this.#addLane('balancer', kind, caller, { kind: 'http', port: balancer.port });
    }
    this.#addLane('http', 'a route that does nothing', caller, { kind: 'http', port });
  }

  /** The one that is asked for must be there, and is first. */
  async #installed(): Promise<BalancerKind[]> {
    const { balancer } = this.options;
    const there: BalancerKind[] = [];
    for (const kind of BALANCERS) if ((await this.#find(kind)) !== null) there.push(kind);
    return there.sort((a, b) => Number(b === balancer) - Number(a === balancer));
  }

  async #startDatabase(): Promise<void> {
    const database = await this.parts.startDatabase();
    this.#database = database;
    this.#closers.push(() => database.close());
  }

  async #addInner(): Promise<void> {
    const databases = { engine: 'ladder_engine', database: 'ladder_writes' };
    for (const name of Object.values(databases)) await this.#database!.prepare(name);
    const plan = this.#database!.innerPlan(databases);
    const inner = await Caller.start(this.#node(this.parts.programs.inner, 'inner', plan));
    this.#closers.push(() => inner.end());
    this.#addLane('engine', 'the engine without HTTP', inner, { kind: 'engine' });
    this.#addLane('database', 'MongoDB: a claim and a block', inner, { kind: 'database' });
  }

  async #addAll(caller: Caller): Promise<void> {
    const { balancer: kind } = this.options;
    const port = await this.#startService();
    const direct = this.#lane('all', 'the service, called directly', caller, { kind: 'http', port });
    if (kind === 'none') {
      this.lanes.push(direct);
      return;
    }
    this.#balancer = await this.#startBalancer(kind, port, 'service');
    this.#addLane('all', `the service behind ${kind}`, caller, { kind: 'http', port: this.#balancer.port });
    this.direct = direct;
  }

  async #startService(): Promise<number> {
    const database = 'ladder_service';
    await this.#database!.prepare(database);
    const [port] = await this.parts.freePorts(1);
    const address = `http://127.0.0.1:${port}`;
    const [node, ...argv] = nodeProgram(this.parts.programs.service);
    const settings = {
      HTTP_PORT: String(port),
      BOOTSTRAP_API_KEY: LADDER_KEY,
      METRICS_OPEN: 'true',
      LOG_LEVEL: 'warn',
    };
    const child = Child.start({
      command: [...this.parts.serviceWithin, node!, '--max-semi-space-size=32', ...argv, 'serve'],
      environment: { ...this.#database!.serviceEnvironment(database), ...settings },
      logFile: join(this.options.folder, 'service.log'),
      talks: false,
    });
    this.#service = { child, address };
    this.#closers.push(() => child.end());
    await untilReady(child, address);
    return port!;
  }

  async #startBalancer(kind: BalancerKind, backendPort: number, of: string): Promise<Balancer> {
    const program = await this.#find(kind);
    if (program === null) throw new Error(`${kind} is not installed: install it, or choose another --balancer.`);
    const folder = join(this.options.folder, `${kind}-${of}`);
    await mkdir(folder);
    const [port, statusPort] = await this.parts.freePorts(2);
    const isChosen = kind === this.options.balancer;
    const balancer = await Balancer.start({
      ...{ kind, program, folder, backendPort, environment: this.parts.environment },
      ports: [port!, statusPort!],
      connectionsMax: isChosen ? this.options.balancerConnectionsMax : CONNECTIONS_MAX,
    });
    this.#closers.push(() => balancer.end());
    return balancer;
  }

  async #find(program: string): Promise<string | null> {
    for (const folder of [...(this.parts.environment.PATH ?? '').split(delimiter), ...SYSTEM_FOLDERS]) {
      const path = join(folder, program);
      if (
        await access(path).then(
          () => true,
          () => false,
        )
      )
        return path;
    }
    return null;
  }

  /** Answers its port. */
  async #server(module: URL, name: string): Promise<number> {
    const { child, port } = await startServer(this.#node(module, name));
    this.#closers.push(() => child.end());
    return port;
  }

  #node(module: URL, name: string, ...argv: string[]) {
    const { environment } = this.parts;
    const logFile = join(this.options.folder, `${name}.log`);
    return { command: [...nodeProgram(module), ...argv], environment, logFile, talks: true };
  }

  #addLane(layer: Layer, name: string, caller: Caller, target: Target): void {
    if (this.options.layers.includes(layer)) this.lanes.push(this.#lane(layer, name, caller, target));
  }

  #lane(layer: Layer, name: string, caller: Caller, target: Target): Lane {
    return { layer, name, measure: (how) => caller.measure({ target, ...how }) };
  }
}

async function untilReady(child: Child, address: string): Promise<void> {
  const until = Date.now() + READY_MS_MAX;
  while (!child.hasEnded && Date.now() < until) {
    const answer = await fetch(`${address}/readyz`).catch(() => null);
    await answer?.body?.cancel();
    if (answer?.ok) return;
    await sleep(POLL_MS);
  }
  await child.failed();
}

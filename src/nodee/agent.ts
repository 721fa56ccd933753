import type { KeyObject } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ArtifactLimits, ArtifactStore, StoreOptions } from '../artifacts/types.ts';
import type { Claim } from '../cloudname/claim.ts';
import { Cloudname, type CloudnameOptions } from '../cloudname/cloudname.ts';
import type { Coordinate } from '../cloudname/coordinate.ts';
import { isCloudnameError } from '../cloudname/errors.ts';
import type { ServiceState } from '../cloudname/status.ts';
import type { Runs, RunsOptions } from '../processes/run.ts';
import type { OpenTable, ProcessTable, TableOptions } from '../processes/table.ts';
import type { Log } from '../processes/types.ts';
import { VERSION } from '../version.ts';
import { Announcements } from './announcements.ts';
import { loadDesired } from './desired.ts';
import { lockFolder } from './folder-lock.ts';
import { Following } from './following.ts';
import { Leader } from './leader.ts';
import { Ownership, type OwnershipState } from './ownership.ts';
import { otherAgents } from './peers.ts';
import { findPlace } from './place.ts';
import { Publisher } from './publisher.ts';
import { hostFigures, publishable } from './report.ts';
import { readLeftSession, SessionKeeper } from './resumption.ts';
import { AgentServer } from './server.ts';
import { Supervision } from './supervision.ts';
import { ENDPOINT, type HostDesired, type HostReport } from './types.ts';

/** So long ZooKeeper may take to say what is wanted, before what was wanted last is gone by. */
const CONFIG_MS_MAX = 5_000;
const COLLECT_MS = 10 * 60_000;
/** By then what is wanted was announced, and what else the agent before had announced is given up. */
const ANNOUNCED_MS_MAX = 60_000;
const PUBLISH_MS_MAX = 5_000;

export interface AgentPorts {
  openStore(options: StoreOptions): Promise<ArtifactStore>;
  openRuns(options: RunsOptions): Promise<Runs>;
  openTable: OpenTable;
}

export interface AgentOptions extends Pick<TableOptions, 'ports' | 'mayRunAsRoot' | 'memoryReserveBytes'> {
  readonly cloudname: CloudnameOptions;
  /** `instance.nodee.user.cell` or `nodee.user.cell`; see {@link findPlace}. */
  readonly where: string;
  /** Everything that it keeps is in there. */
  readonly folder: string;
  /** Of the host, for people and for placing processes. */
  readonly name: string;
  readonly listen: { readonly host: string; readonly port: number };
  /** By which name or address others reach this host. */
  readonly advertisedHost: string;
  /** Whoever knows it may do anything here. */
  readonly token: string;
  readonly trusted: readonly KeyObject[];
  readonly limits: ArtifactLimits;
  /** So many versions of each artifact are kept that nothing uses. */
  readonly artifactsKept: number;
  readonly log: Log;
}

interface Parts {
  readonly cloudname: Cloudname;
  readonly claim: Claim;
  readonly announcements: Announcements;
  readonly store: ArtifactStore;
  readonly stored: HostDesired | null;
  openTable(): Promise<ProcessTable>;
}

type Close = () => unknown;

/**
 * The agent of a host: moves it toward what its coordinate's configuration says, and tells there how it is. Its processes
 * outlive it, and are taken over by the next agent of the same folder; so does its session with ZooKeeper, if that agent
 * begins within the session's time, and with it everything that is claimed.
 */
export class Agent {
  readonly #options: AgentOptions;
  readonly #parts: Parts;
  readonly #publisher: Publisher;
  readonly #supervision: Supervision;
  readonly #following: Following;
  readonly #ownership: Ownership;
  readonly #startedAt = performance.now();
  readonly #closers: Close[];
  readonly #ending = new AbortController();
  #server: AgentServer | null = null;
  #changing: Promise<void> = Promise.resolve();
  #stopping: Promise<void> | null = null;

  private constructor(options: AgentOptions, parts: Parts, closers: Close[]) {
    const { log, folder } = options;
    this.#options = options;
    this.#parts = parts;
    this.#closers = closers;
    this.#publisher = new Publisher(() => this.#publish());
    this.#supervision = new Supervision(parts.openTable, () => this.#publisher.changed(), log);
    this.#following = new Following(folder, parts.stored, (desired) => this.#supervision.want(desired), log);
    this.#ownership = new Ownership(parts.cloudname, parts.claim, log, (state) => this.#owns(state));
  }

  /**
   * @param signal Gives up waiting for ZooKeeper.
   * @throws Error when another agent has the folder, the port is taken, or what it needs cannot be opened
   */
  static async start(options: AgentOptions, ports: AgentPorts, signal: AbortSignal): Promise<Agent> {
    const closers: Close[] = [];
    try {
      const agent = new Agent(options, await open(options, ports, closers, signal), closers);
      await agent.#begin();
      return agent;
    } catch (error) {
      await closeAll(closers, options.log);
      throw error;
    }
  }

  get coordinate(): Coordinate {
    return this.#parts.claim.coordinate;
  }

  /** `http://host:port`, where it listens. */
  get address(): string {
    return this.#server!.address;
  }

  /** Ends the agent, not its processes. May be called twice. */
  stop(): Promise<void> {
    this.#stopping ??= closeAll(this.#closers, this.#options.log);
    return this.#stopping;
  }

  async report(): Promise<HostReport> {
    const problems = [this.#ownership.problem, this.#following.problem];
    return {
      host: this.#options.name,
      version: VERSION,
      generation: this.#following.generation,
      at: new Date().toISOString(),
      uptime_seconds: Math.round((performance.now() - this.#startedAt) / 1000),
      ...(await hostFigures(this.#options.folder)),
      processes: this.#supervision.table?.reports() ?? [],
      problems: problems.filter((problem) => problem !== null),
    };
  }

  async #begin(): Promise<void> {
    const { cloudname, announcements } = this.#parts;
    const { log } = this.#options;
    this.#closers.push(async () => {
      this.#ownership.stop();
      this.#ending.abort();
      await this.#changing;
      await this.#supervision.set(false);
      await this.#following.kept();
    });
    await this.#supervision.start();
    this.#server = await this.#listen();
    this.#closers.push(() => this.#server!.close());
    const stopWatching = cloudname.watchConfig(
      this.coordinate,
      // Deleted it is with the coordinate, which is created again; what is wanted stays as it is.
      (event) => event.type === 'UPDATED' && this.#following.configured(event.text),
      (error) => log.warn({ err: error }, 'the configuration of the coordinate cannot be read'),
    );
    const timers = [
      setTimeout(() => this.#following.fallBack(), CONFIG_MS_MAX),
      setTimeout(() => this.#attempt('give up what is not announced', announcements.releaseLeft()), ANNOUNCED_MS_MAX),
      setInterval(() => this.#attempt('collect artifacts', this.#collect()), COLLECT_MS),
    ];
    // Of the agent before, when it had another one: its session lives on, and others would take that host for alive.
    this.#attempt('give up the coordinate of the agent before', announcements.releaseLeftPlaces());
    this.#publisher.start();
    const leader = new Leader({ cloudname, fleet: this.coordinate, agent: String(this.coordinate), log });
    leader.start();
    this.#closers.push(async () => {
      await leader.stop();
      stopWatching();
      for (const timer of timers) clearTimeout(timer);
      await this.#publisher.stop();
      await this.#leave();
    });
  }

  #listen(): Promise<AgentServer> {
    const { token, listen, limits, artifactsKept, log } = this.#options;
    return AgentServer.listen({
      ...{ token, listen, log, artifactsKept, store: this.#parts.store, archiveBytesMax: limits.archiveBytes },
      coordinate: String(this.coordinate),
      report: () => this.report(),
      table: () => this.#supervision.table,
    });
  }

  #owns(state: OwnershipState): void {
    const isOwner = state !== 'displaced';
    this.#changing = this.#changing.then(() => (isOwner ? this.#takeOver() : this.#letGo()));
    this.#following.owns(isOwner);
    this.#publisher.changed();
  }

  async #takeOver(): Promise<void> {
    if (!this.#ending.signal.aborted) await this.#supervision.set(true);
  }

  async #letGo(): Promise<void> {
    const { announcements, cloudname } = this.#parts;
    const { signal } = this.#ending;
    await this.#supervision.set(false);
    // What needs a lease runs until its last one is over, and nobody else may have its coordinate before.
    await sleep(cloudname.session.timeoutMs, undefined, { signal }).catch(() => undefined);
    if (!signal.aborted)
      await announcements.releaseAll().catch((error) => this.#failed('give up what is announced', error));
  }

  /** Fails never: what cannot be published now is published as soon as the coordinate is this agent's. */
  async #publish(): Promise<void> {
    const { claim } = this.#parts;
    const isFollowing = this.#following.generation !== null;
    try {
      const { port } = new URL(this.address);
      const endpoint = { name: ENDPOINT, host: this.#options.advertisedHost, port: Number(port), protocol: 'http' };
      const endpointData = publishable(await this.report());
      // Both are asked for before one is waited for, so that they stand there together.
      await Promise.all([
        claim.putEndpoints([{ ...endpoint, endpointData }], PUBLISH_MS_MAX),
        this.#say(isFollowing ? 'RUNNING' : 'STARTING', isFollowing ? 'following' : 'nothing is wanted yet'),
      ]);
    } catch (error) {
      if (isCloudnameError(error, 'not_owner')) return;
      this.#options.log.warn({ err: error }, 'the report of this host cannot be published');
    }
  }

  async #say(state: ServiceState, message: string): Promise<void> {
    const { claim } = this.#parts;
    if (claim.status.state !== state) await claim.setStatus(state, message, PUBLISH_MS_MAX);
  }

  async #leave(): Promise<void> {
    if (this.#parts.claim.isHeld()) await this.#say('DRAINING', 'the agent ends').catch(() => undefined);
  }

  async #collect(): Promise<void> {
    const removed = await this.#parts.store.collect(this.#options.artifactsKept);
    if (removed.length > 0) this.#options.log.info({ removed }, 'removed artifacts that nothing uses');
  }

  #attempt(what: string, work: Promise<unknown>): void {
    work.catch((error: unknown) => this.#failed(what, error));
  }

  #failed(what: string, error: unknown): void {
    this.#options.log.error({ err: error }, `could not ${what}`);
  }
}

/** What an agent is made of, in the order in which each needs the ones before. */
async function open(options: AgentOptions, ports: AgentPorts, closers: Close[], signal: AbortSignal): Promise<Parts> {
  const { folder, log, token, trusted, limits } = options;
  const { connect } = options.cloudname;
  const lock = await lockFolder(folder);
  closers.push(() => lock.release());
  const { resume, announced } = await readLeftSession(folder, connect);
  const cloudname = Cloudname.open({ ...options.cloudname, ...(resume === null ? {} : { resume }) });
  // Not closed: what is claimed stays claimed for the session's time, as the processes run on.
  closers.push(() => cloudname.leave());
  const coordinate = await findPlace(cloudname, options.where, folder, log, signal);
  const others = otherAgents(cloudname, coordinate, token);
  const store = await ports.openStore({ folder: join(folder, 'artifacts'), trusted, limits, others });
  const runs = await ports.openRuns({ folder: join(folder, 'runs'), log });
  const keeper = await SessionKeeper.open(folder, connect, cloudname.session, announced, log);
  await keeper.announced(String(coordinate));
  const announcements = new Announcements({ cloudname, keeper, own: coordinate, host: options.advertisedHost, log });
  const stored = await loadDesired(folder);
  // Last, so that whoever listens to it hears everything.
  const claim = cloudname.claim(coordinate);
  const tableOptions: TableOptions = {
    ...{ runs, artifacts: store, lease: claim, log, host: options.advertisedHost, zookeeper: connect },
    announce: (at) => announcements.announce(at),
    ...{ ports: options.ports, mayRunAsRoot: options.mayRunAsRoot, memoryReserveBytes: options.memoryReserveBytes },
  };
  return { cloudname, claim, announcements, store, stored, openTable: () => ports.openTable(tableOptions) };
}

/** In reverse order; one that fails keeps none of the others open. */
async function closeAll(closers: Close[], log: Log): Promise<void> {
  for (let close = closers.pop(); close !== undefined; close = closers.pop()) {
    try {
      await close();
    } catch (error) {
      log.error({ err: error }, 'a part of the agent did not end cleanly');
    }
  }
}

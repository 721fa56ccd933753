import { setTimeout as sleep } from 'node:timers/promises';
import type { Claim } from '../cloudname/claim.ts';
import type { Cloudname } from '../cloudname/cloudname.ts';
import { Coordinate } from '../cloudname/coordinate.ts';
import { isCloudnameError } from '../cloudname/errors.ts';
import type { Log } from '../processes/types.ts';
import { type FleetName, type FleetState, fleetCoordinate, parseFleetState } from './fleet.ts';
import { SERVICE, seeHosts } from './hosts.ts';
import type { HostView } from './placement.ts';
import { nextStep, type Step } from './rollout.ts';
import { ENDPOINT, type HostSeen } from './types.ts';

/** Without a word from anybody it is looked again: hosts that stay away say nothing. */
const LOOK_MS = 1_000;
/** Things that happen together are looked at together. */
const SETTLE_MS = 100;
const PUBLISH_MS_MAX = 5_000;
const MESSAGE_CHARACTERS_MAX = 500;

export interface LeaderOptions {
  readonly cloudname: Cloudname;
  readonly fleet: FleetName;
  /** Of the agent that leads, for people. */
  readonly agent: string;
  readonly log: Log;
}

/**
 * One of the agents, whichever claims the fleet's coordinate, tells all of them what to run. What it knows stands in
 * ZooKeeper, so that any other goes on where it stopped. Whatever it writes replaces only what it had read.
 */
export class Leader {
  readonly #options: LeaderOptions;
  readonly #coordinate: Coordinate;
  readonly #ending = new AbortController();
  readonly #stops: (() => void)[] = [];
  /** When a host was first seen without its agent, in ms of `performance.now`. */
  readonly #lost = new Map<string, number>();
  #claim: Claim | null = null;
  #wake: () => void = () => undefined;
  #running: Promise<void> = Promise.resolve();
  #lastMessage = '';

  constructor(options: LeaderOptions) {
    this.#options = options;
    this.#coordinate = fleetCoordinate(options.fleet);
  }

  /** Stands for it from now on, or as soon as ZooKeeper answers. The agent's own coordinate must have been created. */
  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#ending.abort();
    this.#wake();
    for (const stop of this.#stops) stop();
    await this.#running;
    await this.#claim?.release();
  }

  async #stand(): Promise<void> {
    const { cloudname, fleet, log } = this.#options;
    await cloudname.ensure(this.#coordinate);
    const everyAgent = `${ENDPOINT}.all.${SERVICE}.${fleet.user}.${fleet.cell}`;
    this.#stops.push(await cloudname.resolver.listen(everyAgent, () => this.#wake()));
    this.#stops.push(cloudname.watchConfig(this.#coordinate, () => this.#wake()));
    this.#claim = cloudname.claim(this.#coordinate);
    this.#claim.on('held', () => {
      log.info({ coordinate: String(this.#coordinate) }, 'this agent leads the fleet');
      // Since when others are away is known to whoever led before; here it counts from now.
      this.#lost.clear();
      this.#wake();
    });
    this.#claim.on('lost', (why) => log.info({ why }, 'this agent does not lead the fleet any more'));
  }

  async #run(): Promise<void> {
    const { signal } = this.#ending;
    while (!signal.aborted) {
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      if (this.#claim === null) await this.#attempt(() => this.#stand());
      else if (this.#claim.isHeld()) await this.#attempt(() => this.#lead());
      const timer = new AbortController();
      await Promise.race([woken, sleep(LOOK_MS, undefined, { signal: timer.signal }).catch(() => undefined)]);
      timer.abort();
      await sleep(SETTLE_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  async #attempt(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (this.#ending.signal.aborted) return;
      this.#options.log.warn({ err: error }, 'the fleet cannot be looked after now; it is tried again');
    }
  }

  async #lead(): Promise<void> {
    const { cloudname, fleet } = this.#options;
    const { text, version } = await cloudname.getConfig(this.#coordinate);
    const state = parseFleetState(text);
    const seen = await seeHosts(cloudname, fleet);
    const step = nextStep(state, fleet, this.#viewsOf(seen));
    await this.#write(step, seen);
    await this.#remember(state, step, version);
    await this.#tell(step);
  }

  #viewsOf(seen: readonly HostSeen[]): HostView[] {
    const now = performance.now();
    return seen.map(({ coordinate, address, report, desired }) => {
      if (address !== null) this.#lost.delete(coordinate);
      else if (!this.#lost.has(coordinate)) this.#lost.set(coordinate, now);
      const since = this.#lost.get(coordinate);
      return { coordinate, desired, lostMs: since === undefined ? null : now - since, report };
    });
  }

  async #write({ writes }: Step, seen: readonly HostSeen[]): Promise<void> {
    const { cloudname, log } = this.#options;
    let isWritten = false;
    for (const [coordinate, desired] of writes) {
      if (!this.#claim?.isHeld()) return;
      const { configVersion } = seen.find((host) => host.coordinate === coordinate)!;
      try {
        await cloudname.setConfig(Coordinate.parse(coordinate), JSON.stringify(desired), configVersion);
        log.info({ coordinate, processes: desired.processes.map((process) => process.coordinate) }, 'told a host');
        isWritten = true;
      } catch (error) {
        // One host that cannot be told so much keeps none of the others waiting.
        if (isCloudnameError(error, 'too_large'))
          log.error({ err: error, coordinate }, 'a host cannot be told so much');
        // Whoever led before has just told it something; that is looked at next.
        else if (!isCloudnameError(error, 'config_conflict')) throw error;
      }
    }
    if (isWritten) this.#wake();
  }

  /** Takes back what an instance refused, and forgets what came before a change that succeeded. */
  async #remember(state: FleetState, step: Step, version: number): Promise<void> {
    const next = afterStep(state, step, new Date());
    if (next === state || !this.#claim?.isHeld()) return;
    const { cloudname, log } = this.#options;
    try {
      await cloudname.setConfig(this.#coordinate, JSON.stringify(next), version);
      for (const [service, why] of step.refusals) {
        log.warn({ service, why, result: next.outcomes[service]?.result }, 'a service refused its change');
      }
    } catch (error) {
      if (!isCloudnameError(error, 'config_conflict')) throw error;
    }
    this.#wake();
  }

  async #tell({ pending }: Step): Promise<void> {
    const lines = [...pending].map(([coordinate, why]) => `${coordinate} ${why}`);
    const what = lines.length === 0 ? 'all is as wanted' : lines.join('; ');
    const message = `${this.#options.agent} leads; ${what}`.slice(0, MESSAGE_CHARACTERS_MAX);
    if (message === this.#lastMessage || !this.#claim?.isHeld()) return;
    await this.#claim.setStatus('RUNNING', message, PUBLISH_MS_MAX);
    this.#lastMessage = message;
  }
}

/** The fleet as it is to be kept after a step; the same object when nothing changed. */
export function afterStep(state: FleetState, { refusals, settled }: Step, now: Date): FleetState {
  const services = { ...state.services };
  const previous = { ...state.previous };
  const outcomes = { ...state.outcomes };
  let isChanged = false;
  for (const [service, why] of refusals) {
    const before = previous[service];
    if (before === undefined && outcomes[service] !== undefined) continue;
    if (before !== undefined) services[service] = before;
    delete previous[service];
    const result = before === undefined ? 'failed' : 'rolled_back';
    outcomes[service] = { generation: state.generation, result, why, at: now.toISOString() };
    isChanged = true;
  }
  for (const service of settled) {
    if (previous[service] === undefined) continue;
    delete previous[service];
    isChanged = true;
  }
  return isChanged ? { ...state, services, previous, outcomes } : state;
}

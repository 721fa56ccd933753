/** One step of a fleet toward what is wanted of it, from what is seen now and nothing else. */
import { type ProcessSpec, specHash } from '../processes/spec.ts';
import type { ProcessReport } from '../processes/types.ts';
import { type FleetName, type FleetState, type Wanted, wantedOf } from './fleet.ts';
import { type HostView, hostsByProcess, type Placement, place, toldTo } from './placement.ts';
import type { HostDesired } from './types.ts';

/** What is said of an instance that is changed after others of its service. */
export const WAITS_FOR_TURN = 'waits for its turn to change';
const WAITS_TO_MOVE = 'waits for its turn to move';

/** Ends what is said of a process that nobody wants any more. */
export const TO_BE_REMOVED = 'is to be removed';

export interface Step {
  /** What is to be written, by coordinate of the agent: only hosts of which something else is wanted than before. */
  readonly writes: ReadonlyMap<string, HostDesired>;
  /** Services of which an instance refused what it should become, and why. */
  readonly refusals: ReadonlyMap<string, string>;
  /** Services all of whose instances are as wanted. */
  readonly settled: ReadonlySet<string>;
  /** Instances, by coordinate, with what they wait for; empty: all is as wanted. */
  readonly pending: ReadonlyMap<string, string>;
}

/**
 * - An instance that has no host gets one, as soon as no other host was told to run it, or still reports it.
 * - Of a service that changes, one instance after the other is told so: the next one when the one before is healthy. So it
 *   is with those that are to move: each runs on where it is until its turn, and is healthy elsewhere before the next one.
 * - What is not wanted any more, or has nowhere to go, is taken from its host.
 *
 * So nothing is remembered between steps, and whoever leads next goes on where the last one stopped.
 */
export function nextStep(state: FleetState, fleet: FleetName, hosts: readonly HostView[]): Step {
  const wanted = wantedOf(state, fleet);
  const scene = new Scene(wanted, hosts, place(state, wanted, hosts));
  const writes = new Map<string, HostDesired>();
  for (const host of hosts) {
    const before = host.desired?.processes ?? [];
    const processes = scene.processesFor(host);
    // A new host is told that nothing is wanted of it, which is something else than not to have been told anything.
    const isTold = host.desired !== null || host.lostMs !== null;
    if (isTold && areSame(before, processes)) continue;
    writes.set(host.coordinate, { generation: state.generation, processes });
  }
  const pending = scene.pending();
  const unsettled = new Set([...pending.keys()].map((coordinate) => wanted.get(coordinate)?.service));
  const settled = new Set(Object.keys(state.services).filter((service) => !unsettled.has(service)));
  return { writes, refusals: scene.refusals(), settled, pending };
}

function areSame(before: readonly ProcessSpec[], after: readonly ProcessSpec[]): boolean {
  const isSame = (a: ProcessSpec, b: ProcessSpec) => a.run === b.run && specHash(a) === specHash(b);
  return before.length === after.length && before.every((spec, index) => isSame(spec, after[index]!));
}

type Instance = readonly [coordinate: string, wanted: Wanted];

class Scene {
  readonly #wanted: ReadonlyMap<string, Wanted>;
  readonly #hosts: readonly HostView[];
  readonly #placement: Placement;
  /** What was last told to the host where an instance belongs. */
  readonly #told = new Map<string, ProcessSpec>();
  /** What that host says of it. */
  readonly #reports = new Map<string, ProcessReport>();
  /** By coordinate, hosts that were told to run it, or say that they have it. */
  readonly #holders: ReadonlyMap<string, readonly HostView[]>;
  /** Those that run where they do not belong, with what was last told there. */
  readonly #leaving = new Map<string, { readonly host: string; readonly told: ProcessSpec }>();
  readonly #turns: ReadonlySet<string>;
  /** By host, what is to be told to it. */
  readonly #byHost: ReadonlyMap<string | undefined, readonly Instance[]>;

  constructor(wanted: ReadonlyMap<string, Wanted>, hosts: readonly HostView[], placement: Placement) {
    this.#wanted = wanted;
    this.#hosts = hosts;
    this.#placement = placement;
    this.#holders = hostsByProcess(hosts, (host) => [...toldTo(host), ...(host.report?.processes ?? [])]);
    for (const host of hosts) {
      const isHere = ({ coordinate }: { coordinate: string }) => placement.get(coordinate) === host.coordinate;
      for (const spec of host.desired?.processes.filter(isHere) ?? []) this.#told.set(spec.coordinate, spec);
      for (const report of host.report?.processes.filter(isHere) ?? []) this.#reports.set(report.coordinate, report);
    }
    for (const host of hosts) if (host.lostMs === null) this.#findLeaving(host);
    const byService = grouped(wanted, ([, { service }]) => service);
    this.#turns = new Set([...byService.values()].flatMap((instances) => this.#turnsOf(instances)));
    this.#byHost = grouped(wanted, ([coordinate]) => this.#hostFor(coordinate));
  }

  #findLeaving({ coordinate: host, desired }: HostView): void {
    for (const told of desired?.processes ?? []) {
      const target = this.#placement.get(told.coordinate);
      const isToMove = target !== undefined && target !== host && !this.#told.has(told.coordinate);
      if (isToMove && this.#wanted.has(told.coordinate)) this.#leaving.set(told.coordinate, { host, told });
    }
  }

  /** Where it is until it is its turn to be elsewhere. */
  #hostFor(coordinate: string): string | undefined {
    const stays = this.#turns.has(coordinate) ? undefined : this.#leaving.get(coordinate);
    return stays?.host ?? this.#placement.get(coordinate);
  }

  /** @param all of a service */
  #turnsOf(all: readonly Instance[]): string[] {
    const outdated = all.filter(([coordinate, { spec }]) => {
      const told = this.#told.get(coordinate);
      return this.#leaving.has(coordinate) || (told !== undefined && specHash(told) !== specHash(spec));
    });
    // What does not run loses nothing by changing at once.
    const idle = outdated.filter(([, { spec }]) => !spec.run);
    const running = outdated.filter(([, { spec }]) => spec.run);
    const isUnderWay = all.some(([coordinate, { spec }]) => {
      if (this.#leaving.has(coordinate) || !this.#placement.has(coordinate)) return false;
      const told = this.#told.get(coordinate);
      // On its way from one host to another it was told to neither.
      return told === undefined || (specHash(told) === specHash(spec) && !this.#isDone(coordinate, spec));
    });
    // What is broken already goes first: it has nothing to lose, and may be what the change is for.
    const [next] = isUnderWay ? [] : running.sort((a, b) => this.#health(a[0]) - this.#health(b[0]));
    return [...idle, ...(next === undefined ? [] : [next])].map(([coordinate]) => coordinate);
  }

  processesFor(host: HostView): ProcessSpec[] {
    const processes: ProcessSpec[] = [];
    for (const [coordinate, { spec }] of this.#byHost.get(host.coordinate) ?? []) {
      const leaving = this.#leaving.get(coordinate);
      const told = leaving?.host === host.coordinate ? leaving.told : this.#told.get(coordinate);
      if (told === undefined) {
        if (!this.#isElsewhere(coordinate, host)) processes.push(spec);
      } else if (this.#turns.has(coordinate)) processes.push(spec);
      else processes.push(told.run === spec.run ? told : { ...told, run: spec.run });
    }
    return processes;
  }

  refusals(): Map<string, string> {
    const refusals = new Map<string, string>();
    for (const [coordinate, { service, spec }] of this.#wanted) {
      const report = this.#reports.get(coordinate);
      const told = this.#told.get(coordinate);
      if (report?.refused !== specHash(spec) || told === undefined || specHash(told) !== specHash(spec)) continue;
      refusals.set(service, `${coordinate}: ${report.message}`);
    }
    return refusals;
  }

  pending(): Map<string, string> {
    const pending = new Map<string, string>();
    for (const [coordinate, { spec }] of this.#wanted) {
      const why = this.#whatIsMissing(coordinate, spec);
      if (why !== null) pending.set(coordinate, why);
    }
    for (const { report } of this.#hosts) {
      for (const { coordinate, state } of report?.processes ?? []) {
        if (!this.#wanted.has(coordinate)) pending.set(coordinate, `is ${state}, and ${TO_BE_REMOVED}`);
      }
    }
    return pending;
  }

  #whatIsMissing(coordinate: string, spec: ProcessSpec): string | null {
    const host = this.#placement.get(coordinate);
    if (host === undefined) return 'no host may run it: none is there, or all are drained, or its `hosts` name others';
    const told = this.#told.get(coordinate);
    if (this.#hostFor(coordinate) !== host) return WAITS_TO_MOVE;
    if (told === undefined) return 'is about to be given to a host';
    if (specHash(told) !== specHash(spec)) return WAITS_FOR_TURN;
    if (this.#isDone(coordinate, spec)) return null;
    const report = this.#reports.get(coordinate);
    if (report === undefined) return 'its host says nothing of it yet';
    if (!spec.run) return report.state === 'stopping' ? 'is being ended' : 'is to be ended';
    if (report.state === 'stopped') return 'is about to be started';
    // What it waits for says that it does.
    if (report.state === 'waiting') return report.message;
    return report.message === '' ? report.state : `${report.state}: ${report.message}`;
  }

  #isDone(coordinate: string, spec: ProcessSpec): boolean {
    const report = this.#reports.get(coordinate);
    if (report === undefined) return false;
    if (!spec.run) return report.state === 'stopped';
    return report.state === 'running' && report.spec === specHash(spec);
  }

  #health(coordinate: string): number {
    return this.#reports.get(coordinate)?.state === 'running' ? 1 : 0;
  }

  /** Was another host told to run it, or does it say that it has it? */
  #isElsewhere(coordinate: string, here: HostView): boolean {
    return this.#holders.get(coordinate)?.some((host) => host !== here) === true;
  }
}

/** In their order. */
function grouped<K>(wanted: ReadonlyMap<string, Wanted>, keyOf: (instance: Instance) => K): Map<K, Instance[]> {
  const groups = new Map<K, Instance[]>();
  for (const instance of wanted) {
    const key = keyOf(instance);
    const others = groups.get(key);
    if (others === undefined) groups.set(key, [instance]);
    else others.push(instance);
  }
  return groups;
}

/** Which instance belongs on which host. */
import type { FleetState, Wanted } from './fleet.ts';
import type { HostDesired, HostReport } from './types.ts';

/** A host as the leader sees it. */
export interface HostView {
  /** Of its agent. */
  readonly coordinate: string;
  /** Ms since its agent lost its coordinate, or since that is known; null: it has it. */
  readonly lostMs: number | null;
  /** Null: nothing was wanted of it yet. */
  readonly desired: HostDesired | null;
  /** Null: it has not said yet how it is, or is lost. */
  readonly report: HostReport | null;
}

/** By coordinate of the instance, the coordinate of the agent on whose host it belongs. What has no host is missing. */
export type Placement = ReadonlyMap<string, string>;

/**
 * What is where it may be stays there, also on a host that is away for less than `replace_after`. Everything else goes to
 * the host that has the fewest instances of its service, then the fewest of all, then the first by name.
 */
export function place(state: FleetState, wanted: ReadonlyMap<string, Wanted>, hosts: readonly HostView[]): Placement {
  const placement = new Map<string, string>();
  const load = new Load(hosts);
  const told = hostsByProcess(hosts, toldTo);
  const rules = new Rules(state);
  for (const [coordinate, { service, hosts: allowed }] of wanted) {
    const holders = (told.get(coordinate) ?? []).filter((host) => rules.mayKeep(host, allowed));
    const [holder] = holders.sort((a, b) => preference(b, coordinate) - preference(a, coordinate));
    if (holder === undefined) continue;
    placement.set(coordinate, holder.coordinate);
    load.add(holder.coordinate, service);
  }
  for (const [coordinate, { service, hosts: allowed }] of wanted) {
    if (placement.has(coordinate)) continue;
    const best = load.least(service, (host) => host.lostMs === null && rules.mayRun(host, allowed));
    if (best === undefined) continue;
    placement.set(coordinate, best.coordinate);
    load.add(best.coordinate, service);
  }
  return placement;
}

/** What it was told to run. When what it was told cannot be read, what it runs is what it was told. */
export function toldTo({ desired, report }: HostView): readonly { readonly coordinate: string }[] {
  return desired === null ? (report?.processes ?? []) : desired.processes;
}

/** By coordinate of a process, the hosts that have it among those of `processesOf`, in the order of hosts. */
export function hostsByProcess(
  hosts: readonly HostView[],
  processesOf: (host: HostView) => readonly { readonly coordinate: string }[],
): Map<string, HostView[]> {
  const found = new Map<string, HostView[]>();
  for (const host of hosts) {
    for (const { coordinate } of processesOf(host)) {
      const others = found.get(coordinate);
      if (others === undefined) found.set(coordinate, [host]);
      else if (others.at(-1) !== host) others.push(host);
    }
  }
  return found;
}

/** Which host may run what. */
class Rules {
  readonly #drained: ReadonlySet<string>;
  readonly #replaceAfterMs: number;
  /** Lists are shared by the instances of a service. */
  readonly #allowed = new Map<readonly string[], ReadonlySet<string>>();

  constructor({ drained, replace_after }: FleetState) {
    this.#drained = new Set(drained);
    this.#replaceAfterMs = replace_after * 1000;
  }

  mayKeep(host: HostView, allowed: readonly string[] | null): boolean {
    if (host.lostMs !== null) return host.lostMs < this.#replaceAfterMs;
    // Its agent has just begun: what it is called is known in a moment, and nothing is moved before.
    return host.report === null || this.mayRun(host, allowed);
  }

  mayRun({ report }: HostView, allowed: readonly string[] | null): boolean {
    if (report === null || this.#drained.has(report.host)) return false;
    return allowed === null || this.#namesOf(allowed).has(report.host);
  }

  #namesOf(allowed: readonly string[]): ReadonlySet<string> {
    const names = this.#allowed.get(allowed) ?? new Set(allowed);
    this.#allowed.set(allowed, names);
    return names;
  }
}

/** Of several hosts that were told to run it, the one that does. */
function preference({ lostMs, report }: HostView, coordinate: string): number {
  if (lostMs !== null) return 0;
  const state = report?.processes.find((process) => process.coordinate === coordinate)?.state;
  return state === 'running' || state === 'rolling' ? 2 : 1;
}

/** How many instances hosts have, by their number in the order of their names. */
class Load {
  readonly #hosts: readonly HostView[];
  readonly #numbers: ReadonlyMap<string, number>;
  readonly #all: Int32Array;
  readonly #ofService = new Map<string, Int32Array>();

  constructor(hosts: readonly HostView[]) {
    this.#hosts = [...hosts].sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
    this.#numbers = new Map(this.#hosts.map(({ coordinate }, number) => [coordinate, number]));
    this.#all = new Int32Array(hosts.length);
  }

  add(host: string, service: string): void {
    const number = this.#numbers.get(host)!;
    this.#of(service)[number]! += 1;
    this.#all[number]! += 1;
  }

  /** The host with the fewest instances of the service, then the fewest of all, then the first by name. */
  least(service: string, isAble: (host: HostView) => boolean): HostView | undefined {
    const [same, all] = [this.#of(service), this.#all];
    let best = -1;
    for (const [number, host] of this.#hosts.entries()) {
      const difference = best < 0 ? -1 : same[number]! - same[best]! || all[number]! - all[best]!;
      if (difference < 0 && isAble(host)) best = number;
    }
    return this.#hosts[best];
  }

  #of(service: string): Int32Array {
    const counts = this.#ofService.get(service) ?? new Int32Array(this.#hosts.length);
    this.#ofService.set(service, counts);
    return counts;
  }
}

function nameOf({ report, coordinate }: HostView): string {
  return report?.host ?? coordinate;
}

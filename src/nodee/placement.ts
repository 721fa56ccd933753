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
  for (const [coordinate, { service, hosts: allowed }] of wanted) {
    const holders = hosts.filter((host) => wants(host, coordinate) && mayKeep(host, state, allowed));
    const [holder] = holders.sort((a, b) => preference(b, coordinate) - preference(a, coordinate));
    if (holder === undefined) continue;
    placement.set(coordinate, holder.coordinate);
    load.add(holder.coordinate, service);
  }
  for (const [coordinate, { service, hosts: allowed }] of wanted) {
    if (placement.has(coordinate)) continue;
    const able = hosts.filter((host) => host.lostMs === null && mayRun(host, state, allowed));
    const [best] = able.sort((a, b) => load.compare(a, b, service));
    if (best === undefined) continue;
    placement.set(coordinate, best.coordinate);
    load.add(best.coordinate, service);
  }
  return placement;
}

/** Was it told to run it? When what it was told cannot be read, what it runs is what it was told. */
export function wants({ desired, report }: HostView, coordinate: string): boolean {
  const processes = desired === null ? (report?.processes ?? []) : desired.processes;
  return processes.some((process) => process.coordinate === coordinate);
}

function mayKeep(host: HostView, state: FleetState, allowed: readonly string[] | null): boolean {
  if (host.lostMs !== null) return host.lostMs < state.replace_after * 1000;
  // Its agent has just begun: what it is called is known in a moment, and nothing is moved before.
  return host.report === null || mayRun(host, state, allowed);
}

function mayRun({ report }: HostView, { drained }: FleetState, allowed: readonly string[] | null): boolean {
  if (report === null || drained.includes(report.host)) return false;
  return allowed === null || allowed.includes(report.host);
}

/** Of several hosts that were told to run it, the one that does. */
function preference({ lostMs, report }: HostView, coordinate: string): number {
  if (lostMs !== null) return 0;
  const state = report?.processes.find((process) => process.coordinate === coordinate)?.state;
  return state === 'running' || state === 'rolling' ? 2 : 1;
}

class Load {
  readonly #all = new Map<string, number>();
  readonly #ofService = new Map<string, number>();

  constructor(hosts: readonly HostView[]) {
    for (const { coordinate } of hosts) this.#all.set(coordinate, 0);
  }

  add(host: string, service: string): void {
    const key = `${host} ${service}`;
    this.#all.set(host, this.#all.get(host)! + 1);
    this.#ofService.set(key, (this.#ofService.get(key) ?? 0) + 1);
  }

  compare(a: HostView, b: HostView, service: string): number {
    const same = ({ coordinate }: HostView) => this.#ofService.get(`${coordinate} ${service}`) ?? 0;
    const all = ({ coordinate }: HostView) => this.#all.get(coordinate)!;
    return same(a) - same(b) || all(a) - all(b) || (nameOf(a) < nameOf(b) ? -1 : 1);
  }
}

function nameOf({ report, coordinate }: HostView): string {
  return report?.host ?? coordinate;
}

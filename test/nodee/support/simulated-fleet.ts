/** Agents that do what they are told, slowly and not always, and a leader that sees them as Cloudname would show them. */
import { described } from '../../../src/nodee/apply.ts';
import { type FleetState, fleetFile, NO_FLEET, wantedOf } from '../../../src/nodee/fleet.ts';
import { afterStep } from '../../../src/nodee/leader.ts';
import type { HostView } from '../../../src/nodee/placement.ts';
import { nextStep, type Step } from '../../../src/nodee/rollout.ts';
import type { HostDesired } from '../../../src/nodee/types.ts';
import { type ProcessSpec, specHash } from '../../../src/processes/spec.ts';
import type { ProcessReport, ProcessState } from '../../../src/processes/types.ts';

export const FLEET = { user: 'pay', cell: 'oslo' };
/** A program of this version never becomes healthy. */
export const BROKEN = 'broken';

export interface ServicePlan {
  readonly version: string;
  readonly instances: number;
  readonly hosts?: readonly string[] | null;
}

export function fileOf(services: Readonly<Record<string, ServicePlan>>, replaceAfter = 10) {
  const all = Object.entries(services).map(([name, { version, instances, hosts = null }]) => {
    const artifact = { id: `no.kvitt:${name}:${version}`, sha256: 'a'.repeat(64) };
    return [name, { artifact, command: ['run'], instances, hosts }];
  });
  return fleetFile.parse({ replace_after: replaceAfter, services: Object.fromEntries(all) });
}

interface Process {
  told: ProcessSpec;
  runs: ProcessSpec | null;
  refused: string | null;
  isEnding: boolean;
}

class Host {
  desired: HostDesired | null = null;
  lostAt: number | null = null;
  readonly processes = new Map<string, Process>();

  constructor(
    readonly coordinate: string,
    readonly name: string,
  ) {}

  /** The agent reads what is wanted of its host. */
  read(): void {
    const wanted = new Map((this.desired?.processes ?? []).map((spec) => [spec.coordinate, spec]));
    for (const [coordinate, process] of this.processes) if (!wanted.has(coordinate)) process.isEnding = true;
    for (const [coordinate, told] of wanted) {
      const process = this.processes.get(coordinate) ?? { told, runs: null, refused: null, isEnding: false };
      if (process.refused !== specHash(told)) process.refused = null;
      this.processes.set(coordinate, { ...process, told, isEnding: false });
    }
  }

  /** One process gets one step further. */
  advance(coordinate: string): void {
    const process = this.processes.get(coordinate);
    if (process === undefined) return;
    const { told, isEnding } = process;
    if (isEnding) this.processes.delete(coordinate);
    else if (!told.run) process.runs = null;
    else if (process.refused !== specHash(told)) {
      if (told.artifact.id.endsWith(BROKEN)) process.refused = specHash(told);
      else process.runs = told;
    }
  }
}

function reportOf({ told, runs, refused, isEnding }: Process): ProcessReport {
  return {
    ...{ coordinate: told.coordinate, state: stateOf({ told, runs, refused, isEnding }), refused },
    ...{ message: refused ? 'it is not healthy' : '', artifact: runs?.artifact.id ?? null },
    ...{ spec: runs === null ? null : specHash(runs), pid: null, ports: {}, restarts: 0, since: '' },
    ...{ memory_bytes: null, cpu: null, limits: {} },
  };
}

function stateOf({ told, runs, refused, isEnding }: Process): ProcessState {
  if (isEnding) return 'stopping';
  if (runs !== null) return 'running';
  if (!told.run) return 'stopped';
  return refused === null ? 'starting' : 'failed';
}

export class SimulatedFleet {
  state: FleetState = NO_FLEET;
  now = 0;
  readonly hosts: Host[];
  lastStep: Step | null = null;

  constructor(names: readonly string[]) {
    this.hosts = names.map((name, index) => new Host(`${index}.nodee.${FLEET.user}.${FLEET.cell}`, name));
  }

  apply(services: Readonly<Record<string, ServicePlan>>): void {
    this.change((state) => described(state, fileOf(services)));
  }

  change(alter: (state: FleetState) => FleetState): void {
    this.state = { ...alter(this.state), generation: this.state.generation + 1 };
  }

  host(name: string): Host {
    return this.hosts.find((host) => host.name === name)!;
  }

  views(): HostView[] {
    return this.hosts.map((host) => {
      const { coordinate, name, desired, lostAt, processes } = host;
      const reports = [...processes.values()].map(reportOf);
      const figures = { uptime_seconds: 1, cores: 2, load: 0, memory_total_bytes: 1, memory_available_bytes: 1 };
      const report = {
        host: name,
        version: '1',
        generation: null,
        at: '',
        disk_free_bytes: 1,
        problems: [],
        ...figures,
      };
      const isLost = lostAt !== null;
      return {
        ...{ coordinate, desired, lostMs: isLost ? this.now - lostAt : null },
        report: isLost ? null : { ...report, processes: reports },
      };
    });
  }

  /** The leader looks once. `writesMax`: it ends, or loses its place, after so many writes. */
  lead(writesMax = Number.POSITIVE_INFINITY): Step {
    const step = nextStep(this.state, FLEET, this.views());
    this.lastStep = step;
    let writes = 0;
    for (const [coordinate, desired] of step.writes) {
      if (writes++ >= writesMax) return step;
      this.hosts.find((host) => host.coordinate === coordinate)!.desired = desired;
    }
    if (writes < writesMax) this.state = afterStep(this.state, step, new Date(0));
    return step;
  }

  /** A host is cut off: what may run in one place only has been ended by the time that others may know. */
  lose(name: string): void {
    const host = this.host(name);
    host.lostAt ??= this.now;
    host.processes.clear();
  }

  /** It is there again, and reads what is wanted now. */
  find(name: string): void {
    const host = this.host(name);
    host.lostAt = null;
    host.read();
  }

  /** Everybody does what is to be done, until nothing is. */
  settle(roundsMax = 500): void {
    for (let round = 0; round < roundsMax; round++) {
      this.now += 1_000;
      const { writes, pending } = this.lead();
      if (writes.size === 0 && pending.size === 0) return;
      for (const host of this.hosts.filter(({ lostAt }) => lostAt === null)) {
        host.read();
        for (const coordinate of [...host.processes.keys()]) host.advance(coordinate);
      }
    }
  }

  /** By coordinate, the names of hosts that were told to run it. */
  told(): Map<string, string[]> {
    return this.#byCoordinate((host) => (host.desired?.processes ?? []).map(({ coordinate }) => coordinate));
  }

  /** By coordinate, the names of hosts where it runs. */
  running(): Map<string, string[]> {
    return this.#byCoordinate((host) =>
      [...host.processes].filter(([, { runs }]) => runs !== null).map(([coordinate]) => coordinate),
    );
  }

  versions(): Record<string, string | null> {
    const wanted = [...wantedOf(this.state, FLEET).keys()];
    const found = wanted.map((coordinate) => {
      const process = this.hosts.map(({ processes }) => processes.get(coordinate)).find((each) => each?.runs);
      return [coordinate.replace('.pay.oslo', ''), process?.runs?.artifact.id.split(':')[2] ?? null];
    });
    return Object.fromEntries(found);
  }

  #byCoordinate(coordinatesOf: (host: Host) => string[]): Map<string, string[]> {
    const found = new Map<string, string[]>();
    for (const host of this.hosts) {
      for (const coordinate of coordinatesOf(host))
        found.set(coordinate, [...(found.get(coordinate) ?? []), host.name]);
    }
    return found;
  }
}

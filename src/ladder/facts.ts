/** What the bottleneck is concluded from: means over the time in which all of it was saturated. */
import type { ResourceSeries } from '../loadtest/result.ts';
import { meanOf } from '../loadtest/statistics.ts';
import type { Measured } from './messages.ts';

export interface ThreadFacts {
  /** Cores that the whole process used. */
  readonly cores: number;
  /** Of a second: the thread of its event loop ran; could have run and had no core; was kept from it by a quota. */
  readonly runs: number;
  readonly waits: number;
  readonly throttled: number;
  /** Cores that it may use at most; null: all. */
  readonly quotaCores: number | null;
}

export interface ServiceFacts extends ThreadFacts {
  /** Connections, and operations that waited for one at a time. */
  readonly pool: { readonly inUse: number; readonly idle: number; readonly waiting: number };
  readonly inFlight: number;
  readonly inFlightMax: number;
  /** Of a write to MongoDB as the engine sees it, with its wait for a connection; null: none was seen. */
  readonly claimMs: number | null;
  readonly appendMs: number | null;
  /** Claims and appends that were under way at a time. */
  readonly writing: number;
  /** Of all requests: answered 503, as there was no room. */
  readonly overloadedShare: number;
}

export interface MemberFacts {
  readonly name: string;
  readonly cores: number;
  /** Of a write as MongoDB sees it, with its wait for the majority; null: it took none. */
  readonly writeMs: number | null;
  /** Of one sync of its log to the disk; null: there was none. */
  readonly logSyncMs: number | null;
}

export interface BalancerFacts {
  readonly name: string;
  readonly cores: number;
  /** Null: it does not say. */
  readonly connections: number | null;
  readonly connectionsMax: number;
  /** Connections and requests that wait for it. */
  readonly queued: number;
  /** For want of connections, in the whole run. */
  readonly turnedAway: number;
}

export interface MachineFacts {
  readonly cpus: number;
  /** Cores in use, and those of them by programs that are none of ours. */
  readonly cores: number;
  readonly foreignCores: number;
  /** Of a second: somebody could have run and had no core. */
  readonly pressure: number;
}

export interface Facts {
  /** Callers at once. */
  readonly concurrency: number;
  /** Payments a second. */
  readonly perSecond: number;
  /** Past the balancer, at the same concurrency; null: there is no balancer. */
  readonly directPerSecond: number | null;
  /** Callers that were never answered. */
  readonly unanswered: number;
  readonly machine: MachineFacts;
  readonly service: ServiceFacts;
  readonly members: readonly MemberFacts[];
  readonly balancer: BalancerFacts | null;
  readonly generator: ThreadFacts & { readonly utilization: number };
}

interface Given {
  readonly concurrency: number;
  readonly cpus: number;
  readonly inFlightMax: number;
  readonly perSecond: number;
  readonly directPerSecond: number | null;
  /** Of all of it, saturated, round by round. */
  readonly measured: readonly Measured[];
  readonly series: readonly ResourceSeries[];
}

export function factsOf({ measured, series, cpus, inFlightMax, ...given }: Given): Facts {
  const look = new Means(series);
  return {
    ...given,
    unanswered: meanOf(measured.map((one) => one.unanswered)),
    machine: {
      cpus,
      cores: look.meanOf('machine', 'cpu') ?? 0,
      foreignCores: look.meanOf('machine', 'cpu of others') ?? 0,
      pressure: look.meanOf('machine', 'cpu pressure') ?? 0,
    },
    service: serviceFacts(look, inFlightMax),
    members: look.owners(/^mongod /).map((name) => ({
      name,
      cores: look.meanOf(name, 'cpu') ?? 0,
      writeMs: look.meanOf(name, 'write'),
      logSyncMs: look.meanOf(name, 'log sync'),
    })),
    balancer: balancerFacts(look),
    generator: { ...threadFacts(look, 'generator'), utilization: meanOf(measured.map((one) => one.utilization)) },
  };
}

function threadFacts(look: Means, of: string): ThreadFacts {
  return {
    cores: look.meanOf(of, 'cpu') ?? 0,
    runs: look.meanOf(of, 'event loop cpu') ?? 0,
    waits: look.meanOf(of, 'event loop waits for a core') ?? 0,
    throttled: look.meanOf(of, 'throttled') ?? 0,
    quotaCores: look.meanOf(of, 'cpu quota'),
  };
}

function serviceFacts(look: Means, inFlightMax: number): ServiceFacts {
  const of = (name: string) => look.meanOf('service', name);
  return {
    ...threadFacts(look, 'service'),
    pool: { inUse: of('pool in use') ?? 0, idle: of('pool idle') ?? 0, waiting: of('pool waiting') ?? 0 },
    inFlight: of('in flight') ?? 0,
    inFlightMax,
    claimMs: of('claim'),
    appendMs: of('append'),
    writing: ((of('claims') ?? 0) * (of('claim') ?? 0) + (of('appends') ?? 0) * (of('append') ?? 0)) / 1000,
    overloadedShare: (of('refused as overloaded') ?? 0) / Math.max(1, of('requests') ?? 0),
  };
}

function balancerFacts(look: Means): BalancerFacts | null {
  const [name] = look.owners(/^(nginx|haproxy)$/);
  if (name === undefined) return null;
  return {
    name,
    cores: look.meanOf(name, 'cpu') ?? 0,
    connections: look.meanOf(name, 'connections'),
    connectionsMax: look.meanOf(name, 'connections at most') ?? 0,
    queued: look.meanOf(name, 'queued') ?? 0,
    turnedAway: look.last(name, 'turned away') ?? 0,
  };
}

/** What the machine did for nobody of ours, where both are known. */
export function foreignCpu(series: readonly ResourceSeries[]): ResourceSeries {
  const own = series.filter(({ of, name }) => of !== 'machine' && name === 'cpu');
  const machine = series.find(({ of, name }) => of === 'machine' && name === 'cpu');
  const points = (machine?.points ?? []).flatMap(([at, value]): [number, number][] => {
    const ours = own.flatMap((one) => one.points.filter(([when]) => Math.abs(when - at) < 0.1));
    return ours.length < own.length ? [] : [[at, Math.max(0, value - ours.reduce((sum, [, cores]) => sum + cores, 0))]];
  });
  return { of: 'machine', name: 'cpu of others', unit: 'cores', points };
}

class Means {
  constructor(private readonly series: readonly ResourceSeries[]) {}

  owners(pattern: RegExp): string[] {
    return [...new Set(this.series.map(({ of }) => of).filter((of) => pattern.test(of)))];
  }

  /** Null: it could not be read. */
  meanOf(of: string, name: string): number | null {
    const points = this.#points(of, name);
    return points.length === 0 ? null : meanOf(points.map(([, value]) => value));
  }

  last(of: string, name: string): number | null {
    return this.#points(of, name).at(-1)?.[1] ?? null;
  }

  #points(of: string, name: string) {
    return this.series.find((one) => one.of === of && one.name === name)?.points ?? [];
  }
}

/** Where figures come from while all of it is saturated. Each source remembers what it read last: see {@link Source}. */
import { machineTimes, type ProcessTimes, processTimes, throttlingOf } from './procfs.ts';
import { Scrape } from './prometheus.ts';
import type { Reading, Source } from './sampler.ts';

const ASK_MS_MAX = 2_000;

/** How much a counter has grown since it was read last, by its name; NaN the first time. */
class Growth {
  readonly #last = new Map<string, number>();

  of(name: string, value: number): number {
    const growth = value - (this.#last.get(name) ?? Number.NaN);
    this.#last.set(name, value);
    return growth;
  }
}

/** `loop`: has it an event loop, whose thread is looked at? `family`: with the processes that it has started. */
export function processSource(of: string, pid: number, { loop = false, family = false } = {}): Source {
  const growth = new Growth();
  return (elapsedMs) => {
    const times = processTimes(pid, { family });
    if (times === null) return [];
    const share = (name: string, ms: number) => growth.of(name, ms) / elapsedMs;
    const own: Reading[] = [
      { of, name: 'cpu', unit: 'cores', value: share('cpu', times.cpuMs) },
      { of, name: 'memory', unit: 'MiB', value: times.residentMiB },
    ];
    return loop ? [...own, ...loopReadings(of, pid, times, share)] : own;
  };
}

function loopReadings(
  of: string,
  pid: number,
  { mainThreadCpuMs, mainThreadWaitMs }: ProcessTimes,
  share: (name: string, ms: number) => number,
): Reading[] {
  const throttling = throttlingOf(pid);
  return [
    { of, name: 'event loop cpu', unit: 'cores', value: share('main', mainThreadCpuMs) },
    { of, name: 'event loop waits for a core', unit: 'share', value: share('wait', mainThreadWaitMs) },
    { of, name: 'throttled', unit: 'share', value: share('throttled', throttling?.throttledMs ?? 0) },
    { of, name: 'cpu quota', unit: 'cores', value: throttling?.quotaCores ?? Number.NaN },
  ];
}

export function machineSource(): Source {
  const growth = new Growth();
  return (elapsedMs) => {
    const times = machineTimes();
    if (times === null) return [];
    const share = (name: string, ms: number) => growth.of(name, ms) / elapsedMs;
    return [
      { of: 'machine', name: 'cpu', unit: 'cores', value: share('cpu', times.busyMs) },
      { of: 'machine', name: 'cpu pressure', unit: 'share', value: share('pressure', times.cpuPressureMs) },
      { of: 'machine', name: 'io pressure', unit: 'share', value: share('io', times.ioPressureMs) },
    ];
  };
}

/** From the metrics of the service, which must be open to anybody. */
export function serviceSource(address: string): Source {
  const growth = new Growth();
  return async (elapsedMs) => {
    const answer = await fetch(`${address}/metrics`, { signal: AbortSignal.timeout(ASK_MS_MAX) });
    return serviceReadings(new Scrape(await answer.text()), growth, elapsedMs);
  };
}

function serviceReadings(scrape: Scrape, growth: Growth, elapsedMs: number): Reading[] {
  const pool = 'kvitt_mongodb_pool_connections';
  const requests = 'kvitt_http_request_duration_seconds_count';
  const count = (name: string, value: number): Reading => ({ of: 'service', name, unit: 'count', value });
  const ms = (name: string, value: number): Reading => ({ of: 'service', name, unit: 'ms', value });
  const perSecond = (name: string, value: number): Reading => {
    return { of: 'service', name, unit: 'per second', value: (growth.of(name, value) * 1000) / elapsedMs };
  };
  const meanMs = (name: string) => {
    const seconds = growth.of(`${name}_sum`, scrape.value(`${name}_sum`));
    return (1000 * seconds) / growth.of(`${name}_count`, scrape.value(`${name}_count`));
  };
  return [
    ms('event loop lag', 1000 * scrape.value('nodejs_eventloop_lag_mean_seconds')),
    count('pool in use', scrape.value(pool, 'state="in_use"')),
    count('pool idle', scrape.value(pool, 'state="idle"')),
    // Over the time since, where a look now and then would miss those that wait for moments only.
    count(
      'pool waiting',
      (1000 * growth.of('pool wait', scrape.value('kvitt_mongodb_pool_wait_seconds_total'))) / elapsedMs,
    ),
    count('in flight', scrape.value('kvitt_engine_in_flight_commands')),
    count('waiting for a claim', scrape.value('kvitt_engine_queued_commands', 'queue="claim"')),
    count('waiting for a block', scrape.value('kvitt_engine_queued_commands', 'queue="block"')),
    ms('claim', meanMs('kvitt_engine_claim_duration_seconds')),
    ms('append', meanMs('kvitt_engine_append_duration_seconds')),
    perSecond('claims', scrape.value('kvitt_engine_claim_duration_seconds_count')),
    perSecond('appends', scrape.value('kvitt_engine_append_duration_seconds_count')),
    perSecond('requests', scrape.value(requests)),
    perSecond('refused as overloaded', scrape.value('kvitt_http_problems_total', 'code="overloaded"')),
  ];
}

/** What a member of the replica set says of itself; counters since it began. */
export interface MemberStatus {
  /** `mongod primary`, `mongod secondary 2`. */
  readonly name: string;
  readonly pid: number;
  readonly writes: number;
  /** Of all writes together, with what they waited for others. */
  readonly writeUs: number;
  readonly logSyncs: number;
  readonly logSyncUs: number;
  readonly ticketsOut: number;
  readonly ticketsLeft: number;
  /** Operations that wait for a lock. */
  readonly queued: number;
  readonly connections: number;
  /** Of the cache, not yet written. */
  readonly dirtyShare: number;
  /** Behind the primary. */
  readonly lagMs: number;
  readonly isHeldBack: boolean;
}

export function databaseSource(status: () => Promise<readonly MemberStatus[]>): Source {
  const growth = new Growth();
  return async (elapsedMs) => (await status()).flatMap((member) => memberReadings(member, growth, elapsedMs));
}

function memberReadings(member: MemberStatus, growth: Growth, elapsedMs: number): Reading[] {
  const { name: of } = member;
  const count = (name: string, value: number): Reading => ({ of, name, unit: 'count', value });
  const ms = (name: string, value: number): Reading => ({ of, name, unit: 'ms', value });
  const perSecond = (name: string, grown: number): Reading => {
    return { of, name, unit: 'per second', value: (grown * 1000) / elapsedMs };
  };
  const grown = (name: 'writes' | 'writeUs' | 'logSyncs' | 'logSyncUs') => growth.of(`${of}/${name}`, member[name]);
  const [writes, writeUs, syncs, syncUs] = [grown('writes'), grown('writeUs'), grown('logSyncs'), grown('logSyncUs')];
  return [
    ms('write', writeUs / writes / 1000),
    perSecond('writes', writes),
    ms('log sync', syncUs / syncs / 1000),
    perSecond('log syncs', syncs),
    { of, name: 'in log sync', unit: 'share', value: syncUs / 1000 / elapsedMs },
    count('write tickets out', member.ticketsOut),
    count('write tickets left', member.ticketsLeft),
    count('waiting for a lock', member.queued),
    count('connections', member.connections),
    { of, name: 'cache dirty', unit: 'share', value: member.dirtyShare },
    ms('replication lag', member.lagMs),
    count('flow control', member.isHeldBack ? 1 : 0),
  ];
}

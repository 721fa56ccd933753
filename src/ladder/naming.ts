/**
 * Names the bottleneck from measured numbers. A score is the share of the lost speed, or of a call's time, that a part
 * explains; a part whose own numbers do not show why it would hold others up scores nothing, however busy it is.
 *
 * First comes what stands in front of the service: what is lost there was measured with and without it, and only the rest
 * is shared out among what stands behind.
 */
import type { BalancerFacts, Facts, MemberFacts, ServiceFacts } from './facts.ts';
import type { Finding } from './result.ts';

/** Below it a finding does not explain enough to be the verdict. */
const NAMED_FROM = 0.3;
/** Below it one is not worth a line. */
const MENTIONED_FROM = 0.05;
/** A balancer that costs no more than its own work on shared cores. */
const BALANCER_LOSS_MIN = 0.1;
/** A log sync that nobody would call slow, and one that everybody would, ms. */
const LOG_SYNC_MS = { fast: 3, slow: 8 } as const;
/** Of a log sync, what a write waits for: its own, and half of the one that is under way when it comes. */
const SYNCS_A_WRITE = 1.5;
/** A queue before the pool of connections that is no accident, operations at a time; and how many may be idle then. */
const POOL_WAITING_MIN = 0.25;
const POOL_IDLE_SHARE_MAX = 0.3;
const REFUSED_SHARE_MIN = 0.02;
/** Of the commands that may be in flight. Metrics are read between two rounds, when some have just been answered. */
const IN_FLIGHT_FULL = 0.5;
/** Of a second: an event loop, or a machine, that is busy so long has time left; and one that has none. */
const FREE_BELOW = 0.7;
const FULL_FROM = 0.95;
/** Of a second in which somebody waited for a core. */
const PRESSURE = { free: 0.3, full: 0.7 } as const;
/** Of the cores: who uses so few of them is not what fills a machine; who uses so many is. */
const OWN_SHARE = { small: 0.3, most: 0.8 } as const;
/** Cores that others take from us, which is when a wait for a core is their doing. */
const FOREIGN_CORES_FULL = 0.5;

/** Most likely first; at least one. */
export function nameBottleneck(facts: Facts): Finding[] {
  const before = [balancer(facts), generator(facts)];
  const left = 1 - Math.max(...before.map(({ score }) => score));
  const behind = [starved(facts), admission(facts), pool(facts), disk(facts), serviceCpu(facts), databaseCpu(facts)];
  const found = [...before, ...behind.map((finding) => ({ ...finding, score: finding.score * left }))]
    .map((finding) => ({ ...finding, score: Math.round(clamp(finding.score) * 100) / 100 }))
    .filter(({ score }) => score >= MENTIONED_FROM)
    .sort((a, b) => b.score - a.score);
  const [first] = found;
  return first !== undefined && first.score >= NAMED_FROM ? found : [unclear(facts, found), ...found];
}

function balancer({ balancer, perSecond, directPerSecond, concurrency, ...facts }: Facts): Finding {
  const finding = {
    bottleneck: 'balancer',
    where: balancer?.name ?? 'balancer',
    remedy: 'Let the balancer have more connections to both sides, or more processes if its own CPU is the limit.',
  } as const;
  if (balancer === null || !directPerSecond) return { ...finding, score: 0, because: [] };
  const loss = 1 - perSecond / directPerSecond;
  const why = whyBalancer(balancer, facts, concurrency);
  return {
    ...finding,
    score: why.length === 0 || loss < BALANCER_LOSS_MIN ? 0 : 0.5 + loss / 2,
    because: [
      `${whole(perSecond)} payments a second through ${balancer.name}, ${whole(directPerSecond)} past it with the same ${concurrency} callers: ${percent(loss)} are lost there.`,
      ...why,
    ],
  };
}

/** How its own numbers show that it holds callers up. */
function whyBalancer(
  { name, connections, connectionsMax, queued, turnedAway, cores }: BalancerFacts,
  { unanswered, machine }: Pick<Facts, 'unanswered' | 'machine'>,
  concurrency: number,
): string[] {
  const why: string[] = [];
  if (connections !== null && connections >= 0.95 * connectionsMax) {
    why.push(`${name} had ${whole(connections)} of at most ${whole(connectionsMax)} connections.`);
  }
  if (queued >= 0.05 * concurrency) why.push(`${figure(queued)} connections or requests waited in front of it.`);
  if (turnedAway > 0) why.push(`It turned callers away ${whole(turnedAway)} times for want of connections.`);
  if (why.length > 0 && unanswered >= 1) why.push(`${whole(unanswered)} callers were never answered.`);
  if (cores >= 0.9 && !isNearlyFull(machine)) why.push(`It used ${figure(cores)} cores itself.`);
  return why;
}

function generator({ generator, service }: Facts): Finding {
  const wanted = generator.runs + generator.waits + generator.throttled;
  const isServiceFree = service.runs + service.waits + service.throttled < wanted - 0.1;
  return {
    bottleneck: 'generator',
    where: 'generator',
    score: isServiceFree ? between(Math.max(wanted, generator.utilization), 0.9, 1) : 0,
    because: [
      `The process that calls was busy ${percent(generator.utilization)} of the time and ran on ${figure(generator.runs)} cores.`,
      `The service's event loop wanted to run ${percent(service.runs + service.waits + service.throttled)} of the time.`,
    ],
    remedy: 'Call from more processes or from another machine: the service was not at its limit.',
  };
}

/** Others have the cores, or a quota keeps it from them. Cores that are full of the ledger's own work are no such thing. */
function starved({ service, machine }: Facts): Finding {
  const { runs, waits, quotaCores } = service;
  // Of all its cores, and a thread that a quota keeps from its own may be counted as one that waits, too.
  const throttled = Math.min(service.throttled, 1 - runs);
  const competes = Math.max(0, waits - throttled);
  const wanted = Math.max(runs + competes + throttled, 1e-9);
  const byOthers = competes * Math.min(1, machine.foreignCores / FOREIGN_CORES_FULL);
  const because = [
    `The service's event loop ran ${percent(runs)} of the time, and could have run for another ${percent(competes + throttled)} but had no core.`,
  ];
  if (throttled > 0.05) {
    because.push(
      `A quota${quotaCores === null ? '' : ` of ${figure(quotaCores)} cores`} kept it from one ${percent(throttled)} of the time.`,
    );
  }
  if (byOthers > 0.05) because.push(`Other programs used ${figure(machine.foreignCores)} of ${machine.cpus} cores.`);
  return {
    bottleneck: 'cpu_starved',
    where: 'service',
    score: between(wanted, 0.4, FREE_BELOW) * ((throttled + byOthers) / wanted),
    because,
    remedy: 'Raise the CPU quota of the service, or move other programs off its cores.',
  };
}

/** As many commands as may be in flight are, and who comes then is turned away. */
function admission({ service: { inFlight, inFlightMax, overloadedShare } }: Facts): Finding {
  const isFull = inFlight >= IN_FLIGHT_FULL * inFlightMax;
  return {
    bottleneck: 'admission',
    where: 'service',
    score: isFull && overloadedShare >= REFUSED_SHARE_MIN ? 0.7 + 0.3 * overloadedShare : 0,
    because: [
      `${percent(overloadedShare)} of the requests were refused with 503 as overloaded.`,
      `${figure(inFlight)} commands were in flight; QUEUE_COMMANDS_MAX allows ${whole(inFlightMax)}.`,
    ],
    remedy: 'Raise QUEUE_COMMANDS_MAX if memory allows it, or send less at once.',
  };
}

/** The engine's writes take long, MongoDB says that they were short, and there is a queue for connections between. */
function pool(facts: Facts): Finding {
  const { service, members, machine } = facts;
  const { inUse, idle, waiting } = service.pool;
  const engineMs = engineWriteMs(service);
  const mongoMs = primaryOf(members)?.writeMs ?? null;
  const isFull = waiting >= POOL_WAITING_MIN && idle <= POOL_IDLE_SHARE_MAX * (inUse + idle);
  const share = engineMs === null || mongoMs === null ? 0 : 1 - mongoMs / engineMs;
  return {
    bottleneck: 'pool',
    where: 'service',
    score: isFull ? 0.3 + 0.7 * clamp(share) : 0,
    because: [
      `${figure(waiting)} operations waited for a connection to MongoDB at a time, while ${figure(inUse)} of ${figure(inUse + idle)} were in use.`,
      `A write took ${ms(engineMs)} with that wait, and ${ms(mongoMs)} in MongoDB.`,
      ...(isNearlyFull(machine)
        ? [
            `The machine used ${figure(machine.cores)} of ${machine.cpus} cores as well: it is the next limit, and a near one.`,
          ]
        : []),
    ],
    remedy: 'Let the service have more connections: maxPoolSize in MONGODB_URI.',
  };
}

/**
 * A majority write waits for the log of the slower one of the fastest two, with three members. The log is what holds others
 * up if that is most of a write, and the engine always waits for one.
 */
function disk(facts: Facts): Finding {
  const { members, service } = facts;
  const syncs = members.flatMap(({ logSyncMs }) => (logSyncMs === null ? [] : [logSyncMs])).sort((a, b) => a - b);
  const syncMs = syncs[Math.floor(syncs.length / 2)] ?? 0;
  const writeMs = primaryOf(members)?.writeMs ?? null;
  const ofWrite = writeMs === null ? 0 : clamp((SYNCS_A_WRITE * syncMs) / writeMs);
  const isSlow = between(syncMs, LOG_SYNC_MS.fast, LOG_SYNC_MS.slow);
  const unused = clamp(1 - ownCores(facts) / facts.machine.cpus);
  return {
    bottleneck: 'disk',
    where: 'mongod majority',
    score: isSlow * ofWrite * clamp(service.writing) * (0.5 + 0.5 * unused),
    because: [
      `The log of a majority took ${ms(syncMs)} to reach the disk, of the ${ms(writeMs)} of a write.`,
      `${figure(service.writing)} claims and appends were under way at a time, while the ledger used ${figure(ownCores(facts))} of ${facts.machine.cpus} cores.`,
    ],
    remedy: 'Give MongoDB a disk that syncs faster, on a majority of the members at least.',
  };
}

function serviceCpu(facts: Facts): Finding {
  const { service, machine } = facts;
  const loop = between(service.runs, FREE_BELOW, FULL_FROM);
  const own = Math.max(service.cores, 1e-9);
  const ofBoth = own / (own + databaseCores(facts));
  return {
    bottleneck: 'service_cpu',
    where: 'service',
    score: Math.max(loop, machineFull(facts) * ofBoth),
    because: [
      `The service used ${figure(service.cores)} cores, its event loop ${figure(service.runs)} of the one that it can have; the members of MongoDB ${figure(databaseCores(facts))}.`,
      machineUse(machine),
    ],
    remedy:
      'Give it a faster core, or share the books among several instances; on a machine of its own it competes with nobody.',
  };
}

function databaseCpu(facts: Facts): Finding {
  const { members, machine, service } = facts;
  const cores = databaseCores(facts);
  const busiest = [...members].sort((a, b) => b.cores - a.cores)[0];
  return {
    bottleneck: 'database_cpu',
    where: busiest?.name ?? 'mongod',
    score: machineFull(facts) * (cores / Math.max(cores + service.cores, 1e-9)),
    because: [
      `The members of MongoDB used ${figure(cores)} cores together, ${busiest?.name ?? 'none'} ${figure(busiest?.cores ?? 0)}; the service ${figure(service.cores)}.`,
      machineUse(machine),
    ],
    remedy: 'Put the members of MongoDB on machines of their own, with more cores.',
  };
}

function unclear({ machine, service, perSecond }: Facts, found: readonly Finding[]): Finding {
  return {
    bottleneck: 'unclear',
    where: 'all of it',
    score: Math.round((1 - (found[0]?.score ?? 0)) * 100) / 100,
    because: [
      `At ${whole(perSecond)} payments a second nothing that was measured was at its limit.`,
      `The machine used ${figure(machine.cores)} of ${machine.cpus} cores, the service's event loop ${figure(service.runs)} of one.`,
    ],
    remedy: 'Call with more concurrency; measure for longer.',
  };
}

/**
 * Is the machine short of cores, by the ledger's own work? 0: it has enough. Work that comes in steps, each of which waits
 * for the one before, never uses all cores: that somebody always waits for one says more than how many are in use.
 */
function machineFull(facts: Facts): number {
  const { cores, cpus, pressure } = facts.machine;
  const short = Math.max(between(cores / cpus, FREE_BELOW, FULL_FROM), between(pressure, PRESSURE.free, PRESSURE.full));
  return short * between(ownCores(facts) / cpus, OWN_SHARE.small, OWN_SHARE.most);
}

function machineUse({ cores, cpus, pressure }: Facts['machine']): string {
  return `The machine used ${figure(cores)} of ${cpus} cores, and ${percent(pressure)} of the time somebody waited for one.`;
}

function isNearlyFull({ cores, cpus }: Facts['machine']): boolean {
  return cores >= FULL_FROM * cpus;
}

function ownCores({ machine }: Facts): number {
  return Math.max(0, machine.cores - machine.foreignCores);
}

function databaseCores({ members }: Facts): number {
  return members.reduce((sum, { cores }) => sum + cores, 0);
}

function primaryOf(members: readonly MemberFacts[]): MemberFacts | undefined {
  return members.find(({ name }) => name === 'mongod primary');
}

/** Of claims and appends alike. */
function engineWriteMs({ claimMs, appendMs }: ServiceFacts): number | null {
  return claimMs === null || appendMs === null ? (claimMs ?? appendMs) : (claimMs + appendMs) / 2;
}

/** 0 at `from` and below, 1 at `to` and above. */
function between(value: number, from: number, to: number): number {
  return clamp((value - from) / (to - from));
}

function clamp(value: number): number {
  return Math.min(1, Math.max(0, value));
}

function percent(share: number): string {
  return `${Math.round(100 * share)} %`;
}

function figure(value: number): string {
  return value.toFixed(value >= 10 ? 0 : 2);
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en');
}

function ms(value: number | null): string {
  return value === null ? 'an unknown time' : `${value.toFixed(1)} ms`;
}

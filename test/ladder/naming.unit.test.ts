import { describe, expect, it } from 'vitest';
import type { Facts } from '../../src/ladder/facts.ts';
import { nameBottleneck } from '../../src/ladder/naming.ts';
import type { Bottleneck } from '../../src/ladder/result.ts';

type Change = {
  readonly [K in keyof Facts]?: NonNullable<Facts[K]> extends readonly unknown[] | number
    ? Facts[K]
    : Partial<NonNullable<Facts[K]>>;
};

const IDLE = { cores: 0.1, runs: 0.1, waits: 0, throttled: 0, quotaCores: null };
const member = (name: string, cores: number, writeMs: number | null, logSyncMs: number) => {
  return { name, cores, writeMs, logSyncMs };
};
const members = (cores: number, writeMs: number, logSyncMs: number) => [
  member('mongod primary', cores, writeMs, logSyncMs),
  member('mongod secondary 2', cores, null, logSyncMs),
  member('mongod secondary 3', cores, null, 1),
];
const HAPROXY = { name: 'haproxy', cores: 0.1, connections: 64, connectionsMax: 4096, queued: 0, turnedAway: 0 };

/** A machine of four cores, of which few are used, under a load that nothing holds up. */
const NOTHING: Facts = {
  concurrency: 64,
  perSecond: 3000,
  directPerSecond: 3100,
  unanswered: 0,
  machine: { cpus: 4, cores: 1, foreignCores: 0, pressure: 0.1 },
  service: {
    ...{ ...IDLE, pool: { inUse: 2, idle: 5, waiting: 0 }, inFlight: 50, inFlightMax: 4000 },
    ...{ claimMs: 5, appendMs: 5, writing: 0.8, overloadedShare: 0 },
  },
  members: members(0.2, 4, 1),
  balancer: HAPROXY,
  generator: { ...IDLE, utilization: 0.3 },
};

function facts({ service, machine, generator, balancer, members, ...rest }: Change): Facts {
  return {
    ...NOTHING,
    ...rest,
    service: { ...NOTHING.service, ...service },
    machine: { ...NOTHING.machine, ...machine },
    generator: { ...NOTHING.generator, ...generator },
    balancer: { ...HAPROXY, ...balancer },
    members: members ?? NOTHING.members,
  };
}

const FULL = { cpus: 2, cores: 1.98, foreignCores: 0.05, pressure: 0.9 };
/** Steps that wait for each other, on cores that are too few. */
const SHORT = { cpus: 2, cores: 1.67, foreignCores: 0.08, pressure: 0.73 };

/** What was measured, the change of it, and what is named. */
const CASES: readonly (readonly [what: string, change: Change, named: Bottleneck])[] = [
  ['nothing at its limit', {}, 'unclear'],
  [
    'a balancer with all its connections taken',
    { perSecond: 300, balancer: { connections: 2, connectionsMax: 2 } },
    'balancer',
  ],
  ['a balancer that callers queue before', { perSecond: 1500, balancer: { queued: 40 } }, 'balancer'],
  [
    'a balancer that turns callers away',
    { perSecond: 1500, balancer: { connections: null, turnedAway: 9 } },
    'balancer',
  ],
  ['a balancer at its limit that costs nothing', { balancer: { connections: 64, connectionsMax: 64 } }, 'unclear'],
  [
    'a balancer that only takes its share of full cores',
    { perSecond: 2400, machine: FULL, service: { cores: 1, runs: 0.8 } },
    'service_cpu',
  ],
  ['a balancer whose own CPU is the limit', { perSecond: 1500, balancer: { cores: 1 } }, 'balancer'],
  [
    'a limit of the balancer on a machine that is full, too',
    { perSecond: 300, machine: FULL, balancer: { connections: 2, connectionsMax: 2 } },
    'balancer',
  ],
  ['an event loop that always runs while cores are idle', { service: { runs: 0.97, cores: 1.1 } }, 'service_cpu'],
  [
    'a full machine, mostly of the service',
    { machine: FULL, service: { cores: 1.1, runs: 0.75 }, members: members(0.2, 4, 1) },
    'service_cpu',
  ],
  [
    'cores that somebody always waits for, though not all are used',
    { machine: SHORT, service: { cores: 0.71, runs: 0.44, waits: 0.28 }, members: members(0.25, 8, 1.6) },
    'database_cpu',
  ],
  [
    'a full machine, mostly of MongoDB',
    { machine: FULL, service: { cores: 0.6, runs: 0.5, waits: 0.3 }, members: members(0.4, 9, 2) },
    'database_cpu',
  ],
  [
    'a quota below what the service wants',
    { service: { runs: 0.2, throttled: 0.75, waits: 0.78, quotaCores: 0.2 } },
    'cpu_starved',
  ],
  [
    'a service that waits for a core that others have',
    { machine: { cpus: 2, cores: 2, foreignCores: 1.3 }, service: { runs: 0.2, waits: 0.7 } },
    'cpu_starved',
  ],
  [
    'a service that waits for cores of its own neighbours',
    { machine: FULL, service: { cores: 0.9, runs: 0.6, waits: 0.38 } },
    'service_cpu',
  ],
  [
    'one connection to MongoDB that all wait for',
    { service: { pool: { inUse: 1, idle: 0, waiting: 4 }, claimMs: 40, appendMs: 30 } },
    'pool',
  ],
  [
    'a wait for connections that are still being made',
    { service: { pool: { inUse: 2, idle: 6, waiting: 1 } } },
    'unclear',
  ],
  ['a log that takes 30 ms to sync', { service: { writing: 0.9 }, members: members(0.1, 45, 30) }, 'disk'],
  ['a log that takes 8 ms to sync', { service: { writing: 0.95 }, members: members(0.1, 13, 8) }, 'disk'],
  [
    'a slow log that the engine seldom waits for',
    { service: { writing: 0.1 }, members: members(0.1, 45, 30) },
    'unclear',
  ],
  [
    'one slow disk of three',
    {
      members: [
        member('mongod primary', 0.1, 4, 1),
        member('mongod secondary 2', 0.1, null, 30),
        member('mongod secondary 3', 0.1, null, 1),
      ],
    },
    'unclear',
  ],
  [
    'commands in flight at their bound',
    { service: { inFlight: 9, inFlightMax: 10, overloadedShare: 0.6 } },
    'admission',
  ],
  ['refusals with room left', { service: { inFlight: 9, inFlightMax: 4000, overloadedShare: 0.6 } }, 'unclear'],
  [
    'a caller that cannot call faster',
    { generator: { runs: 0.98, utilization: 0.99 }, service: { runs: 0.5 } },
    'generator',
  ],
  [
    'a caller that is as busy as the service',
    { generator: { runs: 0.95, utilization: 0.97 }, service: { runs: 0.96 } },
    'service_cpu',
  ],
];

describe('the bottleneck', () => {
  it.each(CASES)('of %s', (_what, change, named) => {
    const findings = nameBottleneck(facts(change));
    expect(findings[0]!.bottleneck).toBe(named);
    for (const { score, because, remedy } of findings) {
      expect(score).toBeGreaterThan(0);
      expect(score).toBeLessThanOrEqual(1);
      expect(because.join(' ')).toMatch(/\d/);
      expect(because.join(' ') + remedy).not.toMatch(/NaN|undefined|null/);
    }
  });

  it('is looked for without a balancer, too', () => {
    const findings = nameBottleneck({ ...NOTHING, balancer: null, directPerSecond: null });
    expect(findings[0]!.bottleneck).toBe('unclear');
  });

  it('is the first of all that explain something, the best first', () => {
    const service = { runs: 0.97, cores: 1.1, pool: { inUse: 1, idle: 0, waiting: 4 }, claimMs: 8, appendMs: 8 };
    const findings = nameBottleneck(facts({ service }));
    expect(findings.map(({ bottleneck }) => bottleneck)).toEqual(['service_cpu', 'pool']);
  });

  it('is shared out only for what is not lost in front of the service', () => {
    const change = {
      perSecond: 300,
      balancer: { connections: 2, connectionsMax: 2 },
      service: { runs: 0.97, cores: 1.1 },
    };
    const [first, second] = nameBottleneck(facts(change));
    expect(first!.bottleneck).toBe('balancer');
    expect(second).toMatchObject({ bottleneck: 'service_cpu' });
    expect(second!.score).toBeLessThan(0.1);
  });
});

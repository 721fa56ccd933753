/** Runs as a load test might answer them, from a seed: latencies whose level drifts, errors in bursts, all that reports show. */
import { callsOf, type Latencies, merged, quantileMs } from '../../../src/loadtest/distribution.ts';
import { seeded } from '../../../src/loadtest/random.ts';
import {
  bucketOf,
  type Counts,
  type OperationResult,
  OUTCOMES,
  type Percentiles,
  type ResourceSeries,
  type RunResult,
  type SecondResult,
} from '../../../src/loadtest/result.ts';
import { type Operation, type Scenario, scenarioSchema } from '../../../src/loadtest/scenario.ts';

export interface Simulated {
  readonly seed: number;
  readonly seconds?: number;
  /** Calls a second. */
  readonly perSecond?: number;
  readonly medianMs?: number;
  /** Factor of all latencies, and of the slowest five per cent only. */
  readonly factor?: number;
  readonly tailFactor?: number;
  /** How alike neighbouring seconds are, from 0 to below 1, and by how much levels go up and down, as logarithms. */
  readonly likeness?: number;
  readonly drift?: number;
  /** By how much whole runs differ from each other, as a logarithm. */
  readonly runSpread?: number;
  /** Of calls, in bursts. */
  readonly errorShare?: number;
  /** Rate at a second, as a multiple of perSecond. */
  readonly shape?: (at: number) => number;
  readonly change?: Partial<RunResult>;
}

const NONE: Counts = { ok: 0, declined: 0, refused: 0, failed: 0, unknown: 0, held_back: 0 };
const MIX: readonly (readonly [Operation, number])[] = [
  ['open_wallet', 0.05],
  ['top_up', 0.15],
  ['buy', 0.45],
  ['queue_buy', 0.05],
  ['check_balance', 0.2],
  ['list_payments', 0.07],
  ['refund', 0.03],
];
/** Calls that a journey makes. */
const CALLS_EACH = 4;

export function scenarioOf(perSecond = 100, seconds = 60): Scenario {
  return scenarioSchema.parse({
    name: 'kick-off',
    description: 'Players arrive before a match, top up, buy, and look at their balance.',
    currency: 'EUR',
    population: { wallets: 10_000, funds: 100_000, merchants: 50, merchantSkew: 1 },
    journeys: [
      {
        name: 'new-player',
        weight: 1,
        steps: [
          { do: 'open_wallet' },
          { do: 'top_up', amount: { from: 1_000, to: 20_000 } },
          { do: 'think', seconds: 1 },
          { do: 'buy', amount: { from: 100, to: 5_000 } },
        ],
      },
      { name: 'regular', weight: 4, steps: [{ do: 'check_balance' }, { do: 'buy', amount: { from: 100, to: 5_000 } }] },
    ],
    profile: { kind: 'constant', perSecond, seconds },
  });
}

export function simulatedRun(simulated: Simulated): RunResult {
  const { seed, seconds = 60, perSecond = 200, change = {} } = simulated;
  const timeline = timelineOf(simulated);
  const counts = timeline.reduce((sum, second) => added(sum, second.counts), NONE);
  const calls = totalOf(counts);
  const latencies = merged(timeline.map((second) => second.latencies));
  const arrivals = timeline.reduce((sum, second) => sum + second.arrivals, 0);
  const scenario = scenarioOf(perSecond / CALLS_EACH, seconds);
  return {
    object: 'load_test',
    version: 1,
    id: `lt_${seed}`,
    label: null,
    startedAt: '2026-11-28T13:30:00.000Z',
    endedAt: new Date(Date.UTC(2026, 10, 28, 13, 30, seconds + 4)).toISOString(),
    scenario,
    seed,
    target: { addresses: ['http://127.0.0.1:8080', 'http://127.0.0.1:8081'], queue: 'payments' },
    machine: { cpus: 2, model: 'Example CPU 2.4 GHz', memoryMiB: 7_936, node: 'v20.19.2', kvitt: '0.1.0' },
    generators: { processes: 1, outstandingMax: 2_000 },
    seconds,
    journeys: { begun: arrivals, ended: arrivals, brokenOff: 0 },
    counts,
    perSecond: (counts.ok + counts.declined) / seconds,
    errorShare: calls === 0 ? 0 : (calls - counts.ok - counts.declined) / calls,
    latencyMs: percentilesOf(latencies),
    lagMs: { p50: 0.1, p99: 0.9, max: 4.2 },
    operations: operationsOf(counts, latencies),
    timeline,
    resources: resourcesOf(simulated, timeline),
    validity: { valid: true, reasons: [] },
    ledger: {
      ...{ ok: true, acknowledged: counts.ok, once: counts.ok, settled: counts.unknown, unknown: 0 },
      ...{ accounts: 10_051, entries: counts.ok, faults: [], queueMs: percentilesOf(latencies), seconds: 3.2 },
    },
    examples: [],
    ...change,
  };
}

function timelineOf(simulated: Simulated): SecondResult[] {
  const { seed, seconds = 60, perSecond = 200, medianMs = 4, factor = 1, tailFactor = 1 } = simulated;
  const { likeness = 0.6, drift = 0.05, runSpread = 0, errorShare = 0, shape = () => 1 } = simulated;
  const random = seeded(seed);
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const fresh = drift * Math.sqrt(1 - likeness ** 2);
  const run = runSpread * normal();
  let [level, tail] = [drift * normal(), drift * normal()];
  return Array.from({ length: seconds }, (_, at): SecondResult => {
    level = likeness * level + fresh * normal();
    tail = likeness * tail + fresh * normal();
    const mean = perSecond * shape(at);
    const calls = Math.max(0, Math.round(mean + Math.sqrt(mean) * normal()));
    const bad = random() < 0.1 ? Math.min(calls, Math.round(calls * errorShare * 10)) : 0;
    const buckets = new Map<number, number>();
    for (let call = 0; call < calls; call++) {
      const isSlow = random() < 0.05;
      const typical = medianMs * factor * Math.exp(run + level + 0.35 * normal());
      const ms = isSlow ? typical * 4 * tailFactor * Math.exp(tail + 0.3 * Math.abs(normal())) : typical;
      const bucket = bucketOf(ms * 1_000);
      buckets.set(bucket, (buckets.get(bucket) ?? 0) + 1);
    }
    const latencies = [...buckets].sort(([a], [b]) => a - b);
    return secondOf(at, calls, bad, latencies, random());
  });
}

function secondOf(at: number, calls: number, bad: number, latencies: Latencies, chance: number): SecondResult {
  const declined = Math.round((calls - bad) * 0.02);
  const refused = Math.round(bad * 0.8);
  const all = percentilesOf(latencies);
  return {
    at,
    arrivals: Math.round(calls / CALLS_EACH),
    counts: { ...NONE, ok: calls - bad - declined, declined, refused, unknown: bad - refused },
    latencyMs: all && { p50: all.p50, p90: all.p90, p99: all.p99, p999: all.p999, max: all.max },
    latencies,
    lagMs: { p50: 0.1, p99: 0.4 + chance, max: 1 + 4 * chance },
    outstanding: Math.round((calls * (all?.p50 ?? 0)) / 1_000 + 3 * chance),
  };
}

function operationsOf(counts: Counts, latencies: Latencies): OperationResult[] {
  return MIX.map(([operation, share], at) => {
    const own = Object.fromEntries(OUTCOMES.map((outcome) => [outcome, Math.round(counts[outcome] * share)])) as Counts;
    const slower = merged([latencies.map(([bucket, calls]) => [bucket + 4 * at, calls] as const)]);
    return { operation, counts: own, latencyMs: percentilesOf(slower), histogram: '' };
  });
}

function resourcesOf({ seed }: Simulated, timeline: readonly SecondResult[]): ResourceSeries[] {
  const random = seeded(seed + 1);
  const series = (of: string, name: string, unit: ResourceSeries['unit'], around: number): ResourceSeries => {
    const points = timeline.map(({ at }) => [at, around * (0.8 + 0.4 * random())] as const);
    return { of, name, unit, points };
  };
  return [
    series('service 127.0.0.1:8080', 'cpu', 'cores', 0.7),
    series('service 127.0.0.1:8080', 'event loop lag', 'ms', 1.4),
    series('service 127.0.0.1:8080', 'pool waiting', 'count', 3),
    series('service 127.0.0.1:8080', 'queue depth', 'count', 40),
    series('service 127.0.0.1:8080', 'memory', 'MiB', 210),
    series('generator 1', 'cpu', 'cores', 0.3),
    series('mongod 1', 'cpu', 'cores', 0.5),
    series('mongod 1', 'inserts', 'per second', 900),
    series('mongod 1', 'updates', 'per second', 420),
    series('mongod 1', 'cache used', 'share', 0.4),
    series('machine', 'cpu', 'share', 0.8),
  ];
}

export function percentilesOf(latencies: Latencies): Percentiles | null {
  if (callsOf(latencies) === 0) return null;
  const at = (q: number) => quantileMs(latencies, q)!;
  const mean = latencies.reduce((sum, [bucket, calls]) => sum + 2 ** (bucket / 16) * calls, 0) / callsOf(latencies);
  return { mean: mean / 1e3, p50: at(0.5), p90: at(0.9), p95: at(0.95), p99: at(0.99), p999: at(0.999), max: at(1) };
}

function added(a: Counts, b: Counts): Counts {
  return Object.fromEntries(OUTCOMES.map((outcome) => [outcome, a[outcome] + b[outcome]])) as Counts;
}

function totalOf(counts: Counts): number {
  return OUTCOMES.reduce((sum, outcome) => sum + counts[outcome], 0);
}

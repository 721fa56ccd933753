/** What a run answers, as it is kept in JSON. Durations are milliseconds, times RFC 3339 unless they say otherwise. */
import type { Operation, Scenario } from './scenario.ts';

/**
 * How a call ended. declined: the ledger decided against it (no funds). refused: 503 or 429, and nothing was written.
 * failed: any other answer. unknown: no answer in time, or the connection ended. held_back: not sent, as too many
 * were unanswered.
 */
export const OUTCOMES = ['ok', 'declined', 'refused', 'failed', 'unknown', 'held_back'] as const;
export type Outcome = (typeof OUTCOMES)[number];
export type Counts = Readonly<Record<Outcome, number>>;

/** Of latencies from when a call should have begun, whether the generator was in time or not, to its answer; ms. */
export interface Percentiles {
  readonly mean: number;
  readonly p50: number;
  readonly p90: number;
  readonly p95: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/** A calling kind over the whole run. */
export interface OperationResult {
  readonly operation: Operation;
  readonly counts: Counts;
  /** Of all that were answered, whatever the answer; null: none was. */
  readonly latencyMs: Percentiles | null;
  /** An HDR histogram of microseconds, V2, compressed, base64. */
  readonly histogram: string;
}

/** A second of the run, by when calls should have begun; of all operations together. */
export interface SecondResult {
  /** Whole seconds since the run began. */
  readonly at: number;
  /** Journeys that began. */
  readonly arrivals: number;
  readonly counts: Counts;
  /** null: nothing was answered. */
  readonly latencyMs: Omit<Percentiles, 'mean' | 'p95'> | null;
  /** Pairs of a bucket and how many calls fell into it: see {@link bucketOf}. */
  readonly latencies: readonly (readonly [bucket: number, calls: number])[];
  /** How late calls were sent by the generator's own fault, ms. */
  readonly lagMs: { readonly p50: number; readonly p99: number; readonly max: number };
  /** Unanswered at the end of the second. */
  readonly outstanding: number;
}

/** A figure that was read once a second or so while the run went on. */
export interface ResourceSeries {
  /** What it is of: `service 127.0.0.1:8080`, `generator 1`, `mongod 2`, `haproxy`, `machine`. */
  readonly of: string;
  /** `cpu`, `event loop lag`, `pool waiting`; what is the same everywhere has the same name. */
  readonly name: string;
  readonly unit: 'cores' | 'share' | 'ms' | 'MiB' | 'count' | 'per second';
  /** Pairs of seconds since the run began and the value; values that could not be read are left out. */
  readonly points: readonly (readonly [at: number, value: number])[];
}

export interface LedgerCheck {
  /** Nothing acknowledged is missing, nothing is there twice, nothing is there that was refused, balances agree. */
  readonly ok: boolean;
  /** Money operations that were acknowledged, also those that were only when asked again after the run. */
  readonly acknowledged: number;
  /** Of these, found exactly once. */
  readonly once: number;
  /** Not known at first, and settled by sending them again with the same key. */
  readonly settled: number;
  /** Never known: the ledger may have them once or not. */
  readonly unknown: number;
  readonly accounts: number;
  readonly entries: number;
  /** What is wrong, for a person; the first hundred. */
  readonly faults: readonly string[];
  /** From when a message should have been sent to when its payment was posted, by the clocks of both; null: none was. */
  readonly queueMs: Percentiles | null;
  readonly seconds: number;
}

export interface Validity {
  /** false: the generator, and not what it tested, was the limit. */
  readonly valid: boolean;
  readonly reasons: readonly string[];
}

export interface RunResult {
  readonly object: 'load_test';
  readonly version: 1;
  readonly id: string;
  readonly label: string | null;
  readonly startedAt: string;
  readonly endedAt: string;
  /** As it was run: scaled to the rate and time asked for. */
  readonly scenario: Scenario;
  readonly seed: number;
  readonly target: { readonly addresses: readonly string[]; readonly queue: string | null };
  readonly machine: {
    readonly cpus: number;
    readonly model: string;
    readonly memoryMiB: number;
    readonly node: string;
    readonly kvitt: string;
  };
  readonly generators: { readonly processes: number; readonly outstandingMax: number };
  /** Seconds from the first arrival that was due to the end of arrivals. */
  readonly seconds: number;
  readonly journeys: { readonly begun: number; readonly ended: number; readonly brokenOff: number };
  readonly counts: Counts;
  /** Calls a second that were answered ok or declined. */
  readonly perSecond: number;
  /** refused, failed, unknown and held_back of all calls. */
  readonly errorShare: number;
  readonly latencyMs: Percentiles | null;
  readonly lagMs: { readonly p50: number; readonly p99: number; readonly max: number };
  readonly operations: readonly OperationResult[];
  readonly timeline: readonly SecondResult[];
  readonly resources: readonly ResourceSeries[];
  readonly validity: Validity;
  readonly ledger: LedgerCheck;
  /** Answers that were no success, a few of each kind. */
  readonly examples: readonly { readonly operation: Operation; readonly outcome: Outcome; readonly answer: string }[];
}

/** Sixteen to each doubling: neighbours differ by 4.4 per cent. */
const BUCKETS_PER_DOUBLING = 16;

/** The bucket of a latency in microseconds, from 1. */
export function bucketOf(us: number): number {
  return us <= 1 ? 0 : Math.floor(BUCKETS_PER_DOUBLING * Math.log2(us));
}

/** The lowest latency of a bucket, microseconds. */
export function bucketFrom(bucket: number): number {
  return 2 ** (bucket / BUCKETS_PER_DOUBLING);
}

/** Counts what becomes of calls, second by second, and tells it in pieces that add up. */
import type { Histogram } from 'hdr-histogram-js';
import { newHistogram, pack, record } from './latencies.ts';
import { bucketOf, OUTCOMES, type Outcome } from './result.ts';
import { OPERATIONS, type Operation } from './scenario.ts';

const BUCKETS = 1 + bucketOf(10 * 60 * 1_000_000);
const EXAMPLES_MAX = 5;

/** What was counted of a second since it was last told; sparse pairs of a bucket and how many fell into it. */
export interface SecondPiece {
  readonly at: number;
  readonly arrivals: number;
  /** By {@link OUTCOMES}. */
  readonly counts: readonly number[];
  readonly latencies: readonly (readonly [bucket: number, calls: number])[];
  readonly lags: readonly (readonly [bucket: number, calls: number])[];
  readonly lagMsMax: number;
  readonly latencyMsMax: number;
}

export interface OperationPiece {
  readonly operation: Operation;
  /** By {@link OUTCOMES}. */
  readonly counts: readonly number[];
  readonly histogram: string;
}

export interface Example {
  readonly operation: Operation;
  readonly outcome: Outcome;
  readonly answer: string;
}

class Second {
  arrivals = 0;
  readonly counts = new Array<number>(OUTCOMES.length).fill(0);
  readonly latencies = new Uint32Array(BUCKETS);
  readonly lags = new Uint32Array(BUCKETS);
  lagMsMax = 0;
  latencyMsMax = 0;

  piece(at: number): SecondPiece {
    const { arrivals, counts, lagMsMax, latencyMsMax } = this;
    return { at, arrivals, counts, latencies: pairs(this.latencies), lags: pairs(this.lags), lagMsMax, latencyMsMax };
  }
}

function pairs(buckets: Uint32Array): [number, number][] {
  const found: [number, number][] = [];
  buckets.forEach((calls, bucket) => {
    if (calls > 0) found.push([bucket, calls]);
  });
  return found;
}

function usOf(ms: number): number {
  return Math.max(1, Math.round(ms * 1000));
}

export class Recorder {
  #seconds = new Map<number, Second>();
  readonly #histograms = new Map<Operation, Histogram>();
  readonly #counts = new Map<Operation, number[]>();
  readonly #examples = new Map<string, Example[]>();

  /** A journey began. `at`: seconds since the run began. */
  arrived(at: number): void {
    this.#second(at).arrivals++;
  }

  /** A call was sent so many ms after its time, through nobody's fault but the generator's. */
  sent(at: number, lagMs: number): void {
    const second = this.#second(at);
    const bucket = Math.min(BUCKETS - 1, bucketOf(usOf(lagMs)));
    second.lags[bucket] = second.lags[bucket]! + 1;
    second.lagMsMax = Math.max(second.lagMsMax, lagMs);
  }

  /** `latencyMs`: from when it should have begun; null: it was not sent. */
  ended(operation: Operation, at: number, outcome: Outcome, latencyMs: number | null): void {
    const second = this.#second(at);
    const index = OUTCOMES.indexOf(outcome);
    second.counts[index] = second.counts[index]! + 1;
    const counts = this.#countsOf(operation);
    counts[index] = counts[index]! + 1;
    if (latencyMs === null) return;
    const bucket = Math.min(BUCKETS - 1, bucketOf(usOf(latencyMs)));
    second.latencies[bucket] = second.latencies[bucket]! + 1;
    second.latencyMsMax = Math.max(second.latencyMsMax, latencyMs);
    record(this.#histogramOf(operation), latencyMs);
  }

  example(one: Example): void {
    const kind = `${one.operation} ${one.outcome}`;
    const those = this.#examples.get(kind) ?? [];
    if (those.length < EXAMPLES_MAX) this.#examples.set(kind, [...those, one]);
  }

  /** What has come since it was last asked. */
  takeSeconds(): SecondPiece[] {
    const pieces = [...this.#seconds].map(([at, second]) => second.piece(at));
    this.#seconds = new Map();
    return pieces;
  }

  operations(): OperationPiece[] {
    return OPERATIONS.filter((operation) => this.#counts.has(operation)).map((operation) => ({
      operation,
      counts: this.#countsOf(operation),
      histogram: pack(this.#histogramOf(operation)),
    }));
  }

  examples(): Example[] {
    return [...this.#examples.values()].flat();
  }

  #second(at: number): Second {
    const whole = Math.max(0, Math.floor(at));
    let second = this.#seconds.get(whole);
    if (second === undefined) {
      second = new Second();
      this.#seconds.set(whole, second);
    }
    return second;
  }

  #countsOf(operation: Operation): number[] {
    let counts = this.#counts.get(operation);
    if (counts === undefined) {
      counts = new Array<number>(OUTCOMES.length).fill(0);
      this.#counts.set(operation, counts);
    }
    return counts;
  }

  #histogramOf(operation: Operation): Histogram {
    let histogram = this.#histograms.get(operation);
    if (histogram === undefined) {
      histogram = newHistogram();
      this.#histograms.set(operation, histogram);
    }
    return histogram;
  }
}

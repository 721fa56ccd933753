/** Adds up what generators tell. */
import type { Histogram } from 'hdr-histogram-js';
import { MoneyCalls } from './call-log.ts';
import { quantileMs } from './distribution.ts';
import { newHistogram, pack, percentilesOf, unpack } from './latencies.ts';
import type { Ended, Journeys, Piece } from './messages.ts';
import type { SecondPiece } from './recorder.ts';
import {
  type Counts,
  type OperationResult,
  OUTCOMES,
  type Percentiles,
  type ResourceSeries,
  type SecondResult,
} from './result.ts';
import { OPERATIONS } from './scenario.ts';

type Buckets = Map<number, number>;

interface Second {
  arrivals: number;
  readonly counts: number[];
  readonly latencies: Buckets;
  readonly lags: Buckets;
  lagMsMax: number;
  latencyMsMax: number;
}

interface OfGenerator {
  /** By whole seconds. */
  readonly outstanding: Map<number, number>;
  readonly cores: [number, number][];
  readonly busy: [number, number][];
}

export class Tally {
  readonly calls = new MoneyCalls();
  readonly #seconds = new Map<number, Second>();
  readonly #generators: OfGenerator[] = [];

  add(generator: number, piece: Piece): void {
    for (const one of piece.seconds) this.#addSecond(one);
    if (piece.calls !== null) this.calls.add(piece.calls);
    const of = this.#generator(generator);
    // Told about when a second has ended.
    of.outstanding.set(Math.max(0, Math.round(piece.at) - 1), piece.outstanding);
    of.cores.push([piece.at, piece.cores]);
    of.busy.push([piece.at, piece.busy]);
  }

  /** Seconds of the timeline so far. */
  get end(): number {
    let end = 0;
    for (const at of this.#seconds.keys()) end = Math.max(end, at + 1);
    return end;
  }

  #generator(index: number): OfGenerator {
    const known = this.#generators[index];
    if (known !== undefined) return known;
    const made: OfGenerator = { outstanding: new Map(), cores: [], busy: [] };
    this.#generators[index] = made;
    return made;
  }

  /** Without gaps; those seconds in which nothing was due are empty. */
  timeline(): SecondResult[] {
    return Array.from({ length: this.end }, (_, at) => this.second(at));
  }

  second(at: number): SecondResult {
    const second = this.#seconds.get(at) ?? newSecond();
    const outstanding = this.#generators.reduce((sum, of) => sum + outstandingAt(of, at), 0);
    return {
      at,
      arrivals: second.arrivals,
      counts: countsOf(second.counts),
      latencyMs: percentilesOfBuckets(second.latencies, second.latencyMsMax),
      latencies: sorted(second.latencies),
      lagMs: {
        p50: quantile(second.lags, 0.5, second.lagMsMax),
        p99: quantile(second.lags, 0.99, second.lagMsMax),
        max: second.lagMsMax,
      },
      outstanding,
    };
  }

  /** Of how late calls were sent, ms. */
  lagMs(): { p50: number; p99: number; max: number } {
    const all: Buckets = new Map();
    let max = 0;
    for (const { lags, lagMsMax } of this.#seconds.values()) {
      for (const [bucket, calls] of lags) addTo(all, bucket, calls);
      max = Math.max(max, lagMsMax);
    }
    return { p50: quantile(all, 0.5, max), p99: quantile(all, 0.99, max), max };
  }

  generatorSeries(): ResourceSeries[] {
    return this.#generators.flatMap(({ cores, busy }, index): ResourceSeries[] => {
      const of = `generator ${index + 1}`;
      return [
        { of, name: 'cpu', unit: 'cores', points: cores },
        { of, name: 'event loop busy', unit: 'share', points: busy },
      ];
    });
  }

  #addSecond(piece: SecondPiece): void {
    let second = this.#seconds.get(piece.at);
    if (second === undefined) {
      second = newSecond();
      this.#seconds.set(piece.at, second);
    }
    second.arrivals += piece.arrivals;
    piece.counts.forEach((count, outcome) => {
      second.counts[outcome] = second.counts[outcome]! + count;
    });
    for (const [bucket, calls] of piece.latencies) addTo(second.latencies, bucket, calls);
    for (const [bucket, calls] of piece.lags) addTo(second.lags, bucket, calls);
    second.lagMsMax = Math.max(second.lagMsMax, piece.lagMsMax);
    second.latencyMsMax = Math.max(second.latencyMsMax, piece.latencyMsMax);
  }
}

function newSecond(): Second {
  const counts = new Array<number>(OUTCOMES.length).fill(0);
  return { arrivals: 0, counts, latencies: new Map(), lags: new Map(), lagMsMax: 0, latencyMsMax: 0 };
}

/** Timers are late: now and then there is a second in which nothing was told. */
function outstandingAt({ outstanding }: OfGenerator, at: number): number {
  return outstanding.get(at) ?? outstanding.get(at - 1) ?? 0;
}

function addTo(buckets: Buckets, bucket: number, calls: number): void {
  buckets.set(bucket, (buckets.get(bucket) ?? 0) + calls);
}

function sorted(buckets: Buckets): [number, number][] {
  return [...buckets].sort(([a], [b]) => a - b);
}

function quantile(buckets: Buckets, share: number, msMax: number): number {
  return Math.min(msMax, quantileMs(sorted(buckets), share) ?? 0);
}

function percentilesOfBuckets(buckets: Buckets, max: number): SecondResult['latencyMs'] {
  if (buckets.size === 0) return null;
  const at = (share: number) => quantile(buckets, share, max);
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999), max };
}

function countsOf(counts: readonly number[]): Counts {
  return Object.fromEntries(OUTCOMES.map((outcome, index) => [outcome, counts[index] ?? 0])) as Counts;
}

/** All that generators have counted of each operation, and of all of them. */
export function addUp(ended: readonly Ended[]): {
  readonly operations: OperationResult[];
  readonly counts: Counts;
  readonly latencyMs: Percentiles | null;
  readonly journeys: Journeys;
} {
  const all = newHistogram();
  const counts = new Array<number>(OUTCOMES.length).fill(0);
  const operations = OPERATIONS.flatMap((operation): OperationResult[] => {
    const pieces = ended.flatMap((one) => one.operations.filter((piece) => piece.operation === operation));
    if (pieces.length === 0) return [];
    const histogram: Histogram = newHistogram();
    const those = new Array<number>(OUTCOMES.length).fill(0);
    for (const piece of pieces) {
      histogram.add(unpack(piece.histogram));
      piece.counts.forEach((count, outcome) => {
        those[outcome] = those[outcome]! + count;
        counts[outcome] = counts[outcome]! + count;
      });
    }
    all.add(histogram);
    return [{ operation, counts: countsOf(those), latencyMs: percentilesOf(histogram), histogram: pack(histogram) }];
  });
  const sum = (what: keyof Journeys) => ended.reduce((total, { journeys }) => total + journeys[what], 0);
  const journeys = { begun: sum('begun'), ended: sum('ended'), brokenOff: sum('brokenOff') };
  return { operations, counts: countsOf(counts), latencyMs: percentilesOf(all), journeys };
}

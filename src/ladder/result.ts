/** What the ladder answers: each layer alone, all of them together, and which is the bottleneck. */
import type { Percentiles, ResourceSeries } from '../loadtest/result.ts';

export const LAYERS = ['socket', 'balancer', 'http', 'validation', 'engine', 'database', 'all'] as const;
export type Layer = (typeof LAYERS)[number];

export interface LayerResult {
  readonly layer: Layer;
  /** `nginx`, `haproxy`; else what the layer is, for a person. */
  readonly name: string;
  /** Calls a second that it did at most, saturated: the median of rounds. */
  readonly perSecond: number;
  readonly rounds: readonly number[];
  /** At the fixed rate of the ladder; null: it could not keep up with it. */
  readonly latencyMs: Percentiles | null;
}

/** Where the time of a call goes: layer upon layer, at the fixed rate. */
export interface StackStep {
  readonly name: string;
  /** Median of the whole call so far, ms. */
  readonly totalMs: number;
  /** What this layer added to the one below; never negative. */
  readonly addedMs: number;
}

export const BOTTLENECKS = [
  'balancer',
  'service_cpu',
  'cpu_starved',
  'pool',
  'disk',
  'database_cpu',
  'admission',
  'generator',
  'unclear',
] as const;
export type Bottleneck = (typeof BOTTLENECKS)[number];

export interface Finding {
  readonly bottleneck: Bottleneck;
  /** Which process or part: `haproxy`, `mongod primary`, `service`. */
  readonly where: string;
  /** 0 to 1; findings are in this order, the first is the verdict. */
  readonly score: number;
  /** Sentences with the numbers that say so. */
  readonly because: readonly string[];
  /** What to do about it. */
  readonly remedy: string;
}

export interface LadderResult {
  readonly object: 'ladder';
  readonly version: 1;
  readonly startedAt: string;
  readonly machine: {
    readonly cpus: number;
    readonly model: string;
    readonly memoryMiB: number;
    readonly node: string;
  };
  readonly concurrency: number;
  /** Calls a second at which latencies were measured. */
  readonly fixedRate: number;
  readonly layers: readonly LayerResult[];
  readonly stack: readonly StackStep[];
  /** Sampled while all of it was saturated. */
  readonly resources: readonly ResourceSeries[];
  /** Most likely first; at least one. */
  readonly findings: readonly Finding[];
}

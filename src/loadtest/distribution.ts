/** Latencies that were counted in buckets: put together, and asked for percentiles. */
import { bucketFrom } from './result.ts';

/** Pairs of a bucket and how many calls fell into it, ascending. */
export type Latencies = readonly (readonly [bucket: number, calls: number])[];

/** All of them together. */
export function merged(all: readonly Latencies[]): Latencies {
  const counts = new Map<number, number>();
  for (const latencies of all) {
    for (const [bucket, calls] of latencies) counts.set(bucket, (counts.get(bucket) ?? 0) + calls);
  }
  return [...counts].sort(([a], [b]) => a - b);
}

export function callsOf(latencies: Latencies): number {
  return latencies.reduce((sum, [, calls]) => sum + calls, 0);
}

/** The latency, ms, that a share `q` of calls did not exceed; null: there are none. */
export function quantileMs(latencies: Latencies, q: number): number | null {
  const rank = q * callsOf(latencies);
  let below = 0;
  for (const [bucket, calls] of latencies) {
    if (calls > 0 && below + calls >= rank) return within(bucket, (rank - below) / calls);
    below += calls;
  }
  return null;
}

/** As {@link quantileMs}, of `counts` at neighbouring buckets, the first of which is `first`. */
export function denseQuantileMs(counts: Float64Array, first: number, q: number): number | null {
  let rank = 0;
  for (const calls of counts) rank += calls;
  rank *= q;
  let below = 0;
  for (let at = 0; at < counts.length; at++) {
    const calls = counts[at]!;
    if (calls > 0 && below + calls >= rank) return within(first + at, (rank - below) / calls);
    below += calls;
  }
  return null;
}

/** Between the ends of a bucket as if calls were spread evenly: percentiles would else move in steps of 4 per cent. */
function within(bucket: number, share: number): number {
  return bucketFrom(bucket + share) / 1_000;
}

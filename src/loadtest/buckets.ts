/** Latencies as pairs of a bucket (see `bucketOf`) and how many calls fell into it, in ascending order. */
import { bucketFrom } from './result.ts';

export type Pairs = readonly (readonly [bucket: number, calls: number])[];

/** All of them together. */
export function mergePairs(many: Iterable<Pairs>): Pairs {
  const sums = new Map<number, number>();
  for (const pairs of many) {
    for (const [bucket, calls] of pairs) sums.set(bucket, (sums.get(bucket) ?? 0) + calls);
  }
  return [...sums].sort(([a], [b]) => a - b);
}

/** The upper end of the bucket that the quantile falls into, ms: at most 4.4 per cent too high. 0: nothing was counted. */
export function quantileOf(pairs: Pairs, share: number): number {
  const total = pairs.reduce((sum, [, calls]) => sum + calls, 0);
  let seen = 0;
  for (const [bucket, calls] of pairs) {
    seen += calls;
    if (seen >= share * total) return bucketFrom(bucket + 1) / 1000;
  }
  return 0;
}

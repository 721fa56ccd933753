/** Histograms of durations, in microseconds within and in milliseconds outside. */
import { build, decodeFromCompressedBase64, encodeIntoCompressedBase64, type Histogram } from 'hdr-histogram-js';
import type { Percentiles } from './result.ts';

const US_MAX = 10 * 60 * 1_000_000;
const DIGITS = 3;

export function newHistogram(): Histogram {
  return build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: US_MAX,
    numberOfSignificantValueDigits: DIGITS,
    bitBucketSize: 32,
  });
}

export function record(histogram: Histogram, ms: number): void {
  histogram.recordValue(Math.min(US_MAX, Math.max(1, Math.round(ms * 1000))));
}

/** null: there is nothing in it. */
export function percentilesOf(histogram: Histogram): Percentiles | null {
  if (histogram.totalCount === 0) return null;
  const at = (percentile: number) => histogram.getValueAtPercentile(percentile) / 1000;
  return {
    ...{ mean: histogram.mean / 1000, p50: at(50), p90: at(90), p95: at(95), p99: at(99), p999: at(99.9) },
    max: histogram.maxValue / 1000,
  };
}

export function pack(histogram: Histogram): string {
  return encodeIntoCompressedBase64(histogram);
}

export function unpack(packed: string): Histogram {
  return decodeFromCompressedBase64(packed, 32);
}

/** Whether a run measured the service, or the generator that was to measure it. */
import type { Percentiles, ResourceSeries, SecondResult, Validity } from './result.ts';

/** A generator that is late by less is in time. */
const LAG_MS_MIN = 10;
/** Of the latency that was measured; what a generator is late by is part of it. */
const LAG_SHARE_MAX = 0.25;
const STALL_MS = 100;
const BUSY_MAX = 0.95;
const BUSY_SECONDS = 3;

export interface Measured {
  readonly lagMs: { readonly p99: number };
  readonly latencyMs: Percentiles | null;
  readonly timeline: readonly SecondResult[];
  /** Of the generators. */
  readonly series: readonly ResourceSeries[];
}

export function validityOf({ lagMs, latencyMs, timeline, series }: Measured): Validity {
  const reasons: string[] = [];
  const lagMax = Math.max(LAG_MS_MIN, LAG_SHARE_MAX * (latencyMs?.p99 ?? 0));
  if (lagMs.p99 > lagMax) {
    reasons.push(
      `One call in a hundred was sent ${ms(lagMs.p99)} late or later; up to ${ms(lagMax)} would be fair, by the latencies measured. Use more generator processes, or another machine.`,
    );
  }
  const stalled = timeline.filter(({ lagMs: lag, latencyMs: latency }) => {
    return lag.p50 > STALL_MS && lag.p50 > 0.5 * (latency?.p50 ?? 0);
  });
  if (stalled.length > 0) {
    reasons.push(
      `In ${stalled.length} s most calls were late by ${STALL_MS} ms and more, as in second ${stalled[0]!.at}.`,
    );
  }
  for (const { of, name, points } of series) {
    if (name !== 'event loop busy') continue;
    const from = points.findIndex((_, index) => isBusy(points.slice(index, index + BUSY_SECONDS)));
    if (from >= 0) {
      reasons.push(
        `${of} had no time to spare from second ${Math.floor(points[from]![0])} on: its event loop was always busy.`,
      );
    }
  }
  return { valid: reasons.length === 0, reasons };
}

function isBusy(points: ResourceSeries['points']): boolean {
  return points.length === BUSY_SECONDS && points.every(([, busy]) => busy > BUSY_MAX);
}

function ms(value: number): string {
  return `${value.toFixed(1)} ms`;
}

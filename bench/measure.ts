import { build } from 'hdr-histogram-js';
import type { Side } from './side.ts';
import { randomTransfer, type Shape } from './workload.ts';

export interface Load {
  readonly shape: Shape;
  readonly callers: number;
  /** Transfers each call carries. */
  readonly bulk: number;
  /** How many there are; as many as the workload says unless given. */
  readonly accounts?: number;
}

export interface Measured {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Closed loop: every caller sends its next call when the one before is answered. */
export async function measure(
  side: Side,
  { shape, callers, bulk, accounts }: Load,
  seconds: number,
): Promise<Measured> {
  const call = () => side.transfer(Array.from({ length: bulk }, () => randomTransfer(shape, accounts)));
  const { perSecond, ...times } = await measureCalls(call, callers, seconds);
  return { perSecond: perSecond * bulk, ...times };
}

/** {@link measure}, for calls of any kind. */
export async function measureCalls(call: () => Promise<void>, callers: number, seconds: number): Promise<Measured> {
  const histogram = build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: 120_000_000,
    numberOfSignificantValueDigits: 3,
  });
  const began = performance.now();
  const until = began + seconds * 1000;
  let calls = 0;
  const callAgain = async () => {
    while (performance.now() < until) {
      const from = performance.now();
      await call();
      histogram.recordValue(Math.round((performance.now() - from) * 1000));
      calls++;
    }
  };
  await Promise.all(Array.from({ length: callers }, callAgain));
  const elapsed = (performance.now() - began) / 1000;
  const at = (percentile: number) => histogram.getValueAtPercentile(percentile) / 1000;
  return { perSecond: calls / elapsed, p50Ms: at(50), p99Ms: at(99) };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

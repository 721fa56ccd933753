import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { arrivalsOf, arrivalTimes, peakOf, type Segment, secondsOf, segmentsOf } from '../../src/loadtest/segments.ts';
import { openProfile } from './support/scenarios.ts';

describe('rates over time', () => {
  it('begin, change and end as a profile says', () => {
    const spike = { kind: 'spike', base: 10, peak: 50, before: 5, rise: 1, hold: 2, fall: 0, after: 4 } as const;
    expect(segmentsOf(spike)).toEqual([
      { from: 10, to: 10, seconds: 5 },
      { from: 10, to: 50, seconds: 1 },
      { from: 50, to: 50, seconds: 2 },
      { from: 10, to: 10, seconds: 4 },
    ]);
    expect(segmentsOf({ kind: 'recorded', rates: [1, 5, 2], seconds: 10 })).toEqual([
      { from: 1, to: 5, seconds: 5 },
      { from: 5, to: 2, seconds: 5 },
    ]);
    expect([secondsOf(segmentsOf(spike)), peakOf(segmentsOf(spike)), arrivalsOf(segmentsOf(spike))]).toEqual([
      12, 50, 220,
    ]);
  });

  it('lead to as many arrivals as they hold, at any time, when paced', async () => {
    await fc.assert(
      fc.property(openProfile, fc.double({ min: 0, max: 1, noNaN: true }), (profile, share) => {
        const segments = segmentsOf(profile);
        const times = [...arrivalTimes(segments, 0, () => 1)];
        const until = share * secondsOf(segments);
        const arrived = times.filter((time) => time <= until).length;
        expect(Math.abs(arrived - expectedUntil(segments, until))).toBeLessThanOrEqual(1.001);
        expect(times).toEqual([...times].sort((a, b) => a - b));
      }),
    );
  });
});

function expectedUntil(segments: readonly Segment[], until: number): number {
  let left = until;
  let sum = 0;
  for (const { from, to, seconds } of segments) {
    const within = Math.min(left, seconds);
    sum += within * (from + (((to - from) / seconds) * within) / 2);
    left -= within;
  }
  return sum;
}

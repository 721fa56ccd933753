/** When users arrive, by the profile of a scenario. Times are seconds since the start, rates arrivals a second. */
import type { Profile } from './scenario.ts';

export type OpenProfile = Exclude<Profile, { kind: 'closed' }>;

/** A part of the run in which the rate follows a straight line. */
export interface Segment {
  readonly from: number;
  readonly to: number;
  readonly seconds: number;
}

/** The whole run, in order; those without any length left out. */
export function segmentsOf(profile: OpenProfile): Segment[] {
  return piecesOf(profile).filter(({ seconds }) => seconds > 0);
}

/** The same, and those without any length: at each of these the rate jumps. */
export function piecesOf(profile: OpenProfile): Segment[] {
  switch (profile.kind) {
    case 'constant':
      return [{ from: profile.perSecond, to: profile.perSecond, seconds: profile.seconds }];
    case 'ramp':
      return [{ from: profile.from, to: profile.to, seconds: profile.seconds }];
    case 'steps':
      return profile.steps.map(({ perSecond, seconds }) => ({ from: perSecond, to: perSecond, seconds }));
    case 'spike': {
      const { base, peak, before, rise, hold, fall, after } = profile;
      return [
        { from: base, to: base, seconds: before },
        { from: base, to: peak, seconds: rise },
        { from: peak, to: peak, seconds: hold },
        { from: peak, to: base, seconds: fall },
        { from: base, to: base, seconds: after },
      ];
    }
    case 'recorded': {
      const seconds = profile.seconds / (profile.rates.length - 1);
      return profile.rates.slice(1).map((to, index) => ({ from: profile.rates[index]!, to, seconds }));
    }
  }
}

export function secondsOf(segments: readonly Segment[]): number {
  return segments.reduce((sum, { seconds }) => sum + seconds, 0);
}

export function peakOf(segments: readonly Segment[]): number {
  return segments.reduce((peak, { from, to }) => Math.max(peak, from, to), 0);
}

/** How many arrivals are expected in all. */
export function arrivalsOf(segments: readonly Segment[]): number {
  return segments.reduce((sum, segment) => sum + arrivalsIn(segment), 0);
}

function arrivalsIn({ from, to, seconds }: Segment): number {
  return ((from + to) / 2) * seconds;
}

/**
 * The times of all arrivals, in order. `distance` is what lies between two of them, in arrivals that are expected: always
 * 1 when paced, exponentially distributed with mean 1 when independent.
 */
export function* arrivalTimes(segments: readonly Segment[], first: number, distance: () => number): Generator<number> {
  let next = first;
  let time = 0;
  let counted = 0;
  for (const segment of segments) {
    const arrivals = arrivalsIn(segment);
    for (; next < counted + arrivals; next += distance()) yield time + timeWithin(segment, next - counted);
    counted += arrivals;
    time += segment.seconds;
  }
}

/** Seconds into a segment until so many have arrived; in a form that stays exact for a rate that does not change. */
function timeWithin({ from, to, seconds }: Segment, arrived: number): number {
  // At a rate of 0 the solution below is 0 by 0.
  if (arrived === 0) return 0;
  const slope = (to - from) / seconds;
  return (2 * arrived) / (from + Math.sqrt(Math.max(0, from * from + 2 * slope * arrived)));
}

/** Arrivals over time: every open profile is straight lines between points. */
import { z } from 'zod';
import type { Random } from './random.ts';
import { type Profile, profileSchema, type Scenario } from './scenario.ts';
import { arrivalTimes, type OpenProfile, piecesOf, segmentsOf } from './segments.ts';

export interface Point {
  /** Seconds since the beginning. */
  readonly at: number;
  /** Journeys a second. */
  readonly rate: number;
}

/** Two points at one time are a jump. */
export function pointsOf(profile: OpenProfile): Point[] {
  let at = 0;
  return piecesOf(profile).flatMap(({ from, to, seconds }) => {
    const began = at;
    at += seconds;
    return [
      { at: began, rate: from },
      { at, rate: to },
    ];
  });
}

/** Seconds that a profile lasts. */
export function secondsOf(profile: Profile): number {
  return profile.kind === 'closed' ? profile.seconds : pointsOf(profile).at(-1)!.at;
}

/** The highest rate of an open profile. */
export function peakOf(profile: OpenProfile): number {
  return Math.max(...pointsOf(profile).map(({ rate }) => rate));
}

/**
 * The scenario with its highest rate, or its users, and its time changed; what is not given stays. Throws RangeError when
 * that is beyond what a profile may be.
 */
export function scaled(scenario: Scenario, to: { readonly rate?: number; readonly seconds?: number }): Scenario {
  const { profile } = scenario;
  const seconds = secondsOf(profile);
  if (to.seconds !== undefined && seconds === 0) throw new RangeError('a profile without time cannot be scaled');
  const time = to.seconds === undefined ? 1 : to.seconds / seconds;
  if (profile.kind === 'closed') {
    const users = to.rate === undefined ? profile.users : Math.ceil(to.rate);
    return { ...scenario, profile: checked({ ...profile, users, seconds: profile.seconds * time }) };
  }
  const peak = peakOf(profile);
  if (to.rate !== undefined && peak === 0) throw new RangeError('a profile without arrivals cannot be scaled');
  return { ...scenario, profile: checked(scaleOpen(profile, to.rate === undefined ? 1 : to.rate / peak, time)) };
}

function checked(profile: Profile): Profile {
  const { data, error } = profileSchema.safeParse(profile);
  if (error) throw new RangeError(`The profile cannot be scaled to that:\n${z.prettifyError(error)}`);
  return data;
}

/** With its rates, and its time, multiplied. */
export function scaleOpen(profile: OpenProfile, rate: number, time: number): OpenProfile {
  switch (profile.kind) {
    case 'constant':
      return { ...profile, perSecond: profile.perSecond * rate, seconds: profile.seconds * time };
    case 'ramp':
      return { ...profile, from: profile.from * rate, to: profile.to * rate, seconds: profile.seconds * time };
    case 'steps':
      return {
        ...profile,
        steps: profile.steps.map((step) => ({ perSecond: step.perSecond * rate, seconds: step.seconds * time })),
      };
    case 'spike': {
      const { base, peak, before, rise, hold, fall, after } = profile;
      return {
        kind: 'spike',
        ...{ base: base * rate, peak: peak * rate },
        ...{ before: before * time, rise: rise * time, hold: hold * time, fall: fall * time, after: after * time },
      };
    }
    case 'recorded':
      return { ...profile, rates: profile.rates.map((one) => one * rate), seconds: profile.seconds * time };
  }
}

/**
 * When one of several generators is to begin its journeys, seconds since the beginning, in order. Together they make the
 * rates of the profile: independent users by thinning the steps of a Poisson process, paced ones by taking turns.
 */
export function arrivalsOf(
  { profile, arrivals }: { readonly profile: OpenProfile; readonly arrivals: Scenario['arrivals'] },
  { index, of }: { readonly index: number; readonly of: number },
  random: Random,
): Generator<number> {
  const step = arrivals === 'paced' ? () => of : () => random.exponential(of);
  // How many arrivals of all generators are due before the first of this one.
  const first = arrivals === 'paced' ? index : step();
  return arrivalTimes(segmentsOf(profile), first, step);
}

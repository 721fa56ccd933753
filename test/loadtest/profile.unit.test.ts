import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { arrivalsOf, peakOf, pointsOf, scaled, secondsOf } from '../../src/loadtest/profile.ts';
import { Random } from '../../src/loadtest/random.ts';
import type { Scenario } from '../../src/loadtest/scenario.ts';
import type { OpenProfile } from '../../src/loadtest/segments.ts';
import { scenarioOf } from './support/scenario-of.ts';

const rate = fc.oneof(fc.constant(0), fc.double({ min: 0.1, max: 60, noNaN: true }));
const seconds = fc.double({ min: 0.5, max: 6, noNaN: true });
const pause = fc.oneof(fc.constant(0), seconds);
const profiles: fc.Arbitrary<OpenProfile> = fc.oneof(
  fc.record({ kind: fc.constant('constant' as const), perSecond: rate, seconds }),
  fc.record({ kind: fc.constant('ramp' as const), from: rate, to: rate, seconds }),
  fc.record({
    kind: fc.constant('steps' as const),
    steps: fc.array(fc.record({ perSecond: rate, seconds }), { minLength: 1, maxLength: 5 }),
  }),
  fc.record({
    kind: fc.constant('spike' as const),
    ...{ base: rate, peak: rate, before: pause, rise: pause, hold: pause, fall: pause, after: pause },
  }),
  fc.record({ kind: fc.constant('recorded' as const), rates: fc.array(rate, { minLength: 2, maxLength: 8 }), seconds }),
);

/** The rate at a time, from the definition of each profile rather than from its points. */
function rateAt(profile: OpenProfile, at: number): number {
  switch (profile.kind) {
    case 'constant':
      return profile.perSecond;
    case 'ramp':
      return profile.from + ((profile.to - profile.from) * at) / profile.seconds;
    case 'steps': {
      let end = 0;
      for (const step of profile.steps) {
        end += step.seconds;
        if (at < end) return step.perSecond;
      }
      return 0;
    }
    case 'spike': {
      const { base, peak, before, rise, hold, fall } = profile;
      const since = at - before;
      if (since < 0) return base;
      if (since < rise) return base + ((peak - base) * since) / rise;
      if (since < rise + hold) return peak;
      if (since < rise + hold + fall) return peak + ((base - peak) * (since - rise - hold)) / fall;
      return base;
    }
    case 'recorded': {
      const length = profile.seconds / (profile.rates.length - 1);
      const index = Math.min(profile.rates.length - 2, Math.floor(at / length));
      const [from, to] = [profile.rates[index]!, profile.rates[index + 1]!];
      return from + ((to - from) * (at - index * length)) / length;
    }
  }
}

/** The integral of the rate up to a time, by the middle of many slices. */
function wantedUntil(profile: OpenProfile, at: number): number {
  const slices = 20_000;
  let sum = 0;
  for (let slice = 0; slice < slices; slice++) sum += rateAt(profile, ((slice + 0.5) * at) / slices);
  return (sum * at) / slices;
}

function times(profile: OpenProfile, arrivals: Scenario['arrivals'], of = 1, seed = 1): number[] {
  return Array.from({ length: of }, (_, index) => [
    ...arrivalsOf({ profile, arrivals }, { index, of }, new Random(seed, index)),
  ])
    .flat()
    .sort((a, b) => a - b);
}

const kickOff: OpenProfile = {
  ...{ kind: 'spike', base: 200, peak: 2_000 },
  ...{ before: 5, rise: 5, hold: 10, fall: 5, after: 5 },
};

describe('paced arrivals', () => {
  test('are as many in any interval as the integral of the rate', () => {
    fc.assert(
      fc.property(profiles, fc.double({ min: 0, max: 1, noNaN: true }), (profile, share) => {
        const at = share * secondsOf(profile);
        const found = times(profile, 'paced').filter((time) => time < at).length;
        expect(Math.abs(found - wantedUntil(profile, at))).toBeLessThan(1.1);
      }),
      { numRuns: 60, seed: 1 },
    );
  });

  test('of several generators are those of one', () => {
    fc.assert(
      fc.property(profiles, fc.integer({ min: 2, max: 7 }), (profile, of) => {
        const [alone, together] = [times(profile, 'paced'), times(profile, 'paced', of)];
        expect(together).toHaveLength(alone.length);
        together.forEach((time, index) => {
          expect(time).toBeCloseTo(alone[index]!, 6);
        });
      }),
      { numRuns: 60, seed: 2 },
    );
  });

  test('of several generators are at equal distances', () => {
    const found = times({ kind: 'constant', perSecond: 50, seconds: 10 }, 'paced', 4);
    expect(found).toHaveLength(500);
    found.forEach((time, index) => {
      expect(time).toBeCloseTo(index / 50, 9);
    });
  });

  test('begin at once when the rate begins at 0', () => {
    expect(times({ kind: 'ramp', from: 0, to: 10, seconds: 2 }, 'paced')[0]).toBe(0);
  });
});

describe('Poisson arrivals', () => {
  test('are in order, within the time of the profile, and numbers', () => {
    fc.assert(
      fc.property(profiles, fc.nat(), (profile, seed) => {
        const found = [...arrivalsOf({ profile, arrivals: 'poisson' }, { index: 0, of: 2 }, new Random(seed))];
        expect(found.every((time, index) => time >= (found[index - 1] ?? 0))).toBe(true);
        expect(found.every((time) => time <= secondsOf(profile))).toBe(true);
      }),
      { numRuns: 60, seed: 3 },
    );
  });

  test.each([1, 2, 5])('of %i generators are as many in each second as the rate says', (of) => {
    const counts = new Array<number>(30).fill(0);
    for (const time of times(kickOff, 'poisson', of, 17)) counts[Math.floor(time)]!++;
    counts.forEach((count, second) => {
      const wanted = wantedUntil(kickOff, second + 1) - wantedUntil(kickOff, second);
      // Four standard deviations: once in sixteen thousand.
      expect(Math.abs(count - wanted)).toBeLessThan(4 * Math.sqrt(wanted));
    });
  });

  test.each([1, 3])('of %i generators are independent: waits are exponential', (of) => {
    const found = times({ kind: 'constant', perSecond: 1_000, seconds: 20 }, 'poisson', of, 23);
    const waits = found.slice(1).map((time, index) => time - found[index]!);
    const mean = waits.reduce((sum, wait) => sum + wait, 0) / waits.length;
    expect(mean).toBeCloseTo(0.001, 4);
    for (const factor of [0.1, 0.5, 1, 2, 4]) {
      const share = waits.filter((wait) => wait > factor * 0.001).length / waits.length;
      expect(Math.abs(share - Math.exp(-factor))).toBeLessThan(0.015);
    }
  });

  test('are the same for the same seed', () => {
    expect(times(kickOff, 'poisson', 2, 5)).toEqual(times(kickOff, 'poisson', 2, 5));
    expect(times(kickOff, 'poisson', 2, 5)).not.toEqual(times(kickOff, 'poisson', 2, 6));
  });
});

describe('scaling', () => {
  test('changes the highest rate and the time, and keeps the shape', () => {
    const positive = fc.double({ min: 0.5, max: 100, noNaN: true });
    fc.assert(
      fc.property(profiles, positive, positive, (profile, toRate, toSeconds) => {
        fc.pre(peakOf(profile) > 0 && secondsOf(profile) > 0);
        const { profile: changed } = scaled(scenarioOf({ profile }), { rate: toRate, seconds: toSeconds });
        const open = changed as OpenProfile;
        expect(peakOf(open)).toBeCloseTo(toRate, 6);
        expect(secondsOf(open)).toBeCloseTo(toSeconds, 6);
        const [rates, times_] = [toRate / peakOf(profile), toSeconds / secondsOf(profile)];
        pointsOf(profile).forEach(({ at, rate: one }, index) => {
          expect(pointsOf(open)[index]!.at).toBeCloseTo(at * times_, 6);
          expect(pointsOf(open)[index]!.rate).toBeCloseTo(one * rates, 6);
        });
      }),
      { numRuns: 100, seed: 4 },
    );
  });

  test('changes the users of a closed profile', () => {
    const scenario = scenarioOf({ profile: { kind: 'closed', users: 10, seconds: 5 } });
    expect(scaled(scenario, { rate: 2.5, seconds: 7 }).profile).toEqual({ kind: 'closed', users: 3, seconds: 7 });
  });

  test('leaves what is not asked for', () => {
    const scenario = scenarioOf({ profile: kickOff });
    expect(scaled(scenario, {})).toEqual(scenario);
  });

  test('says why a profile cannot be scaled', () => {
    const idle = scenarioOf({ profile: { kind: 'constant', perSecond: 0, seconds: 1 } });
    expect(() => scaled(idle, { rate: 5 })).toThrow('a profile without arrivals cannot be scaled');
    const never = { base: 1, peak: 1, before: 0, rise: 0, hold: 0, fall: 0, after: 0 };
    const empty = scenarioOf({ profile: { kind: 'spike', ...never } });
    expect(() => scaled(empty, { seconds: 5 })).toThrow('a profile without time cannot be scaled');
    const constant = scenarioOf({ profile: { kind: 'constant', perSecond: 1, seconds: 1 } });
    expect(() => scaled(constant, { rate: 1e9 })).toThrow(/perSecond/);
    expect(() => scaled(constant, { seconds: 1e9 })).toThrow(/seconds/);
  });
});

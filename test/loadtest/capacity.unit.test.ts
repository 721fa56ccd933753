import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type CapacityPlan,
  findCapacity,
  intervalOf,
  search,
  type Trial,
  trialOf,
} from '../../src/loadtest/capacity.ts';
import { Random } from '../../src/loadtest/random.ts';
import type { RunResult, SecondResult } from '../../src/loadtest/result.ts';
import { bucketOf } from '../../src/loadtest/result.ts';

const PLAN: CapacityPlan = {
  target: { p99Ms: 100, errorShare: 0.001 },
  ...{ from: 100, max: 100_000, tolerance: 0.05, searches: 3, warmUpSeconds: 2 },
};
const TRIALS_MAX = 70;

function trial(rate: number, met: boolean, valid = true): Trial {
  return { rate, callsPerSecond: rate, p99Ms: met ? 10 : 1_000, errorShare: 0, valid, met };
}

/** A system that meets the target up to a rate and never beyond it. */
const hardKnee = (truth: number) => async (rate: number) => trial(rate, rate <= truth);

function resultOf(p99Ms: number, { ok = true, valid = true, seconds = 10 } = {}): RunResult {
  const counts = { ok: 100, declined: 0, refused: 0, failed: 0, unknown: 0, held_back: 0 };
  const second = (at: number) =>
    ({ at, counts, latencies: [[bucketOf(1000 * p99Ms), 100]] }) as unknown as SecondResult;
  const timeline = Array.from({ length: seconds }, (_, at) => second(at));
  const faults = ok ? [] : ['lt:1:2 is in the ledger more than once'];
  return { seconds, timeline, validity: { valid }, ledger: { ok, faults } } as unknown as RunResult;
}

describe('a search', () => {
  test('finds a hard knee within the tolerance, from wherever it begins', async () => {
    const rates = fc.double({ min: 2, max: 50_000, noNaN: true });
    await fc.assert(
      fc.asyncProperty(rates, rates, fc.constantFrom(0.02, 0.05, 0.2), async (truth, from, tolerance) => {
        const found = await search({ ...PLAN, from, tolerance }, hardKnee(truth));
        expect(found.endedBy).toBe('target');
        expect(found.rate).toBeLessThanOrEqual(truth);
        expect(found.rate).toBeGreaterThanOrEqual(truth * (1 - tolerance) - 0.001);
        expect(found.trials.length).toBeLessThan(TRIALS_MAX);
      }),
      { numRuns: 100 },
    );
  });

  test('of a system that always fails ends with 0', async () => {
    const found = await search({ ...PLAN, from: 1_000_000_000, max: 1_000_000_000 }, async (rate) =>
      trial(rate, false),
    );
    expect(found).toMatchObject({ rate: 0, callsPerSecond: 0, endedBy: 'target' });
    expect(found.trials.length).toBeLessThan(TRIALS_MAX);
    expect(found.trials.at(-1)!.rate).toBeLessThanOrEqual(1);
  });

  test.each([0.000_001, 100, 99_999, 100_000, 500_000])(
    'of a system that never fails ends at the highest rate, from %d',
    async (from) => {
      const found = await search({ ...PLAN, from }, async (rate) => trial(rate, true));
      expect(found).toMatchObject({ rate: PLAN.max, endedBy: 'max' });
      expect(found.trials.length).toBeLessThan(TRIALS_MAX);
    },
  );

  test('ends when the generator is the limit, with what was met before', async () => {
    const found = await search(PLAN, async (rate) => trial(rate, rate <= 500, rate <= 500));
    expect(found).toMatchObject({ rate: 400, endedBy: 'generator' });
  });

  test('without a tolerance still ends', async () => {
    const found = await search({ ...PLAN, tolerance: 0 }, hardKnee(777.7));
    expect(found.trials.length).toBeLessThan(TRIALS_MAX);
    expect(found.rate).toBeCloseTo(777.7, -1);
  });

  test('that begins around an earlier one reaches a knee on either side', async () => {
    for (const truth of [50, 900, 1_000, 1_400, 40_000]) {
      const found = await search(PLAN, hardKnee(truth), 1_000);
      expect(found.rate).toBeGreaterThanOrEqual(0.95 * truth);
      expect(found.rate).toBeLessThanOrEqual(truth);
    }
  });
});

describe('several searches', () => {
  /** p99 that rises with the rate, and is 100 ms at the truth but for noise. */
  const softKnee = (truth: number, random: Random) => async (rate: number) => {
    const noise = Math.exp(0.2 * (random.share() + random.share() + random.share() - 1.5));
    return resultOf(100 * (rate / truth) ** 4 * noise);
  };

  test('have an interval with the truth in it, of a hard knee', async () => {
    for (const truth of [103, 777, 1_023, 4_321, 9_999]) {
      const { rate, interval } = await findCapacity(PLAN, async (one) => resultOf(one <= truth ? 10 : 1_000));
      expect(rate).toBeLessThanOrEqual(truth);
      expect(rate).toBeGreaterThanOrEqual(0.95 * truth);
      expect(interval!.low).toBeLessThanOrEqual(truth);
      expect(interval!.high).toBeGreaterThanOrEqual(truth);
      expect(interval!.high - interval!.low).toBeLessThan(0.3 * truth);
    }
  });

  test('have an interval with the truth in it most of the time, of a soft knee with noise', async () => {
    let covered = 0;
    for (let seed = 1; seed <= 100; seed++) {
      const truth = 300 + 37 * seed;
      const { interval, searches } = await findCapacity(PLAN, softKnee(truth, new Random(seed)));
      if (interval!.low <= truth && truth <= interval!.high) covered++;
      for (const { trials } of searches) expect(trials.length).toBeLessThan(TRIALS_MAX);
    }
    expect(covered).toBeGreaterThanOrEqual(85);
  });

  test('end at once when the ledger is broken, and say how', async () => {
    const rates: number[] = [];
    const found = await findCapacity(PLAN, async (rate) => {
      rates.push(rate);
      return resultOf(10, { ok: rates.length < 3 });
    });
    expect(rates).toHaveLength(3);
    expect(found).toMatchObject({ rate: 0, ledgerOk: false, faults: ['lt:1:2 is in the ledger more than once'] });
  });

  test('are not ok when a ledger is broken without a word', async () => {
    const broken = { ...resultOf(10), ledger: { ok: false, faults: [] } } as unknown as RunResult;
    expect((await findCapacity(PLAN, async () => broken)).ledgerOk).toBe(false);
  });

  test('pass on that a run could not be carried out', async () => {
    const failing = findCapacity(PLAN, async () => {
      throw new Error('a generator process has ended');
    });
    await expect(failing).rejects.toThrow('a generator process has ended');
  });

  test('of one alone have no interval', async () => {
    const { interval } = await findCapacity({ ...PLAN, searches: 1 }, async () => resultOf(10));
    expect(interval).toBeNull();
  });
});

describe('a trial', () => {
  const seconds = (...p99s: number[]): RunResult => {
    const timeline = p99s.map((ms, at) => ({ ...resultOf(ms).timeline[0]!, at }));
    return { ...resultOf(1), seconds: p99s.length, timeline };
  };

  test('counts neither the beginning nor what is due after the last arrival', () => {
    const run = { ...seconds(9_000, 9_000, 10, 10, 10, 9_000), seconds: 5 };
    const { p99Ms, callsPerSecond, met } = trialOf(run, 100, PLAN);
    expect(p99Ms).toBeLessThan(11);
    expect({ callsPerSecond, met }).toEqual({ callsPerSecond: 100, met: true });
  });

  test('with parts of seconds counts whole seconds', () => {
    expect(trialOf(seconds(9_000, 9_000, 9_000, 10, 10), 100, { ...PLAN, warmUpSeconds: 2.5 })).toMatchObject({
      ...{ callsPerSecond: 100, met: true },
    });
  });

  test('of nothing but a beginning is refused', () => {
    expect(() => trialOf(seconds(1, 1), 100, PLAN)).toThrow('A run of 2 s has nothing left after 2 s of warm-up.');
  });

  test('without any call does not meet the target', () => {
    const run = { ...seconds(1, 1, 1), timeline: [] };
    expect(trialOf(run, 100, PLAN)).toMatchObject({ met: false, errorShare: 1 });
  });
});

test('an interval is that of Student', () => {
  expect(intervalOf([5])).toBeNull();
  expect(intervalOf([4, 4, 4])).toEqual({ low: 4, high: 4 });
  const { low, high } = intervalOf([10, 12, 14])!;
  expect([low, high]).toEqual([expect.closeTo(12 - 4.968, 2), expect.closeTo(12 + 4.968, 2)]);
  expect(intervalOf([1, 100])!.low).toBe(0);
});

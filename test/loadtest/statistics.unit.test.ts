import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { callsOf, denseQuantileMs, merged, quantileMs } from '../../src/loadtest/distribution.ts';
import { seeded } from '../../src/loadtest/random.ts';
import { bucketFrom, bucketOf } from '../../src/loadtest/result.ts';
import { blockLength, holm, inferenceOf, studentReach, studentTwoSided, welch } from '../../src/loadtest/statistics.ts';

const shares = fc.double({ min: 0, max: 1, noNaN: true });

describe("Student's distribution", () => {
  it.each([
    [1, 12.706],
    [2, 4.303],
    [5, 2.571],
    [10, 2.228],
    [30, 2.042],
    [1_000, 1.962],
  ])('with %d degrees of freedom 95 per cent lie within %d, as in tables', (freedom, reach) => {
    expect(studentReach(freedom)).toBeCloseTo(reach, 3);
    expect(studentTwoSided(reach, freedom)).toBeCloseTo(0.05, 3);
  });

  it('leaves less the further out', () => {
    const freedoms = fc.double({ min: 1, max: 500, noNaN: true });
    fc.assert(
      fc.property(freedoms, shares, (freedom, t) => {
        expect(studentTwoSided(t, freedom)).toBeGreaterThanOrEqual(studentTwoSided(t + 0.5, freedom));
      }),
    );
  });
});

describe('a difference of means', () => {
  it('is judged as Welch does', () => {
    const before = [27.5, 21.0, 19.0, 23.6, 17.0, 17.9, 16.9, 20.1, 21.9, 22.6, 23.1, 19.6, 19.0, 21.7, 21.4];
    const after = [27.1, 22.0, 20.8, 23.4, 23.4, 23.5, 25.8, 22.0, 24.8, 20.2, 21.9, 22.1, 22.9, 20.5, 24.4];
    const estimate = welch(before, after);
    expect(estimate.freedom).toBeCloseTo(25.0, 1);
    expect(inferenceOf(estimate).pValue).toBeCloseTo(0.021, 3);
  });

  it('of values that are all the same is certain', () => {
    expect(inferenceOf(welch([5, 5, 5], [5, 5, 5])).pValue).toBe(1);
    expect(inferenceOf(welch([5, 5, 5], [6, 6, 6]))).toEqual({ interval: [1, 1], pValue: 0 });
  });
});

describe("Holm's correction", () => {
  it('multiplies the least by how many there are, and keeps the order', () => {
    const [a, b, c, d] = holm([0.01, 0.04, 0.03, 0.005]);
    expect([a, b, c, d].map((value) => Number(value!.toFixed(6)))).toEqual([0.03, 0.06, 0.06, 0.02]);
  });

  it('never makes a value less, nor more than the number of values times', () => {
    fc.assert(
      fc.property(fc.array(shares, { maxLength: 12 }), (values) => {
        holm(values).forEach((adjusted, at) => {
          expect(adjusted).toBeGreaterThanOrEqual(values[at]!);
          expect(adjusted).toBeLessThanOrEqual(Math.min(1, values[at]! * values.length + 1e-12));
        });
      }),
    );
  });
});

describe('the length of blocks', () => {
  function drifting(likeness: number, seed: number): number[] {
    const random = seeded(seed);
    let level = 0;
    return Array.from({ length: 400 }, () => {
      level = likeness * level + random() - 0.5;
      return level;
    });
  }

  it('is greater, the more neighbours are alike', () => {
    const average = (likeness: number) =>
      Array.from({ length: 20 }, (_, seed) => blockLength(drifting(likeness, seed))).reduce((a, b) => a + b) / 20;
    const [none, some, much] = [average(0), average(0.5), average(0.9)];
    expect(none).toBeLessThan(5);
    expect(some).toBeGreaterThan(none);
    expect(much).toBeGreaterThan(some + 5);
  });

  it('is one where nothing changes', () => {
    expect(blockLength([3, 3, 3, 3])).toBe(1);
  });
});

describe('percentiles of counted latencies', () => {
  const latencies = fc
    .array(fc.integer({ min: 1, max: 60_000_000 }), { minLength: 1, maxLength: 200 })
    .map((all) => ({ all: all.sort((a, b) => a - b), counted: merged(all.map((us) => [[bucketOf(us), 1]])) }));

  it('lie in the bucket of the call that they are of', () => {
    fc.assert(
      fc.property(latencies, shares, ({ all, counted }, q) => {
        const exact = all[Math.max(0, Math.ceil(q * all.length) - 1)]!;
        const bucket = bucketOf(exact);
        const us = quantileMs(counted, q)! * 1_000;
        expect(us).toBeGreaterThanOrEqual(bucketFrom(bucket) * 0.999);
        expect(us).toBeLessThanOrEqual(bucketFrom(bucket + 1) * 1.001);
      }),
    );
  });

  it('are the same of rows as of pairs', () => {
    fc.assert(
      fc.property(latencies, shares, ({ counted }, q) => {
        const first = counted[0]![0];
        const row = new Float64Array(counted.at(-1)![0] - first + 1);
        for (const [bucket, calls] of counted) row[bucket - first] = calls;
        expect(denseQuantileMs(row, first, q)).toBe(quantileMs(counted, q));
      }),
    );
  });

  it('are of nothing where there is nothing', () => {
    expect(quantileMs([], 0.5)).toBeNull();
    expect(callsOf(merged([[], []]))).toBe(0);
  });
});

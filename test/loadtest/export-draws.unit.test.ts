import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { zipfWeights } from '../../src/loadtest/choice.ts';
import { chooser, drawAmount, drawThink } from '../../src/loadtest/export-draws.ts';
import { seeded } from '../../src/loadtest/random.ts';
import { countsOf, expectShares } from './support/calls.ts';

const DRAWS = 20_000;
const seed = fc.integer({ min: 0, max: 2 ** 32 - 1 });

describe('random values', () => {
  it('are the same for the same seed, and others for another', () => {
    const first = (from: number) => Array.from({ length: 5 }, seeded(from));
    expect(first(7)).toEqual(first(7));
    expect(first(7)).not.toEqual(first(8));
  });

  it('choose as weights say, those of Zipf among them', async () => {
    await fc.assert(
      fc.property(
        seed,
        fc.integer({ min: 2, max: 40 }),
        fc.double({ min: 0, max: 2, noNaN: true }),
        (from, count, skew) => {
          const weights = zipfWeights(count, skew);
          expect(weights[1]! / weights[0]!).toBeCloseTo(2 ** -skew);
          const [random, choose] = [seeded(from), chooser(weights)];
          const counts = countsOf(Array.from({ length: DRAWS }, () => choose(random)));
          expectShares(
            weights.map((_, index) => counts.get(index) ?? 0),
            weights,
          );
        },
      ),
      { numRuns: 20 },
    );
  });

  it('hold amounts within their bounds, each as often', () => {
    const random = seeded(3);
    const counts = countsOf(Array.from({ length: DRAWS }, () => drawAmount({ from: 5, to: 8 }, random)));
    expect([...counts.keys()].sort()).toEqual([5, 6, 7, 8]);
    expectShares([...counts.values()], [1, 1, 1, 1]);
  });

  it('hold pauses around their mean, and at most five times of it', () => {
    const random = seeded(3);
    const pauses = Array.from({ length: DRAWS }, () => drawThink({ do: 'think', seconds: 2 }, random));
    expect(Math.max(...pauses)).toBe(10);
    // What is cut off takes one part in 148 of the mean.
    expect(pauses.reduce((sum, pause) => sum + pause, 0) / DRAWS).toBeCloseTo(2 * (1 - Math.exp(-5)), 1);
  });
});

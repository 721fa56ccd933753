import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { WeightedChoice, zipfWeights } from '../../src/loadtest/choice.ts';
import { Random } from '../../src/loadtest/random.ts';
import { chiSquare, chiSquareMax } from './support/statistics.ts';

const DRAWS = 200_000;

function counted(weights: readonly number[], seed: number): number[] {
  const [choice, random] = [new WeightedChoice(weights), new Random(seed)];
  const counts = new Array<number>(weights.length).fill(0);
  for (let draw = 0; draw < DRAWS; draw++) counts[choice.index(random)]!++;
  return counts;
}

function expected(weights: readonly number[]): number[] {
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => (DRAWS * weight) / sum);
}

describe('weighted choice', () => {
  test.each([
    ['one', [3]],
    ['equal ones', [1, 1, 1, 1]],
    ['journeys', [30, 50, 12, 6, 2]],
    ['a rare one', [1_000, 1]],
    ['fractions', [0.1, 0.7, 0.2]],
  ])('draws %s in proportion to the weights', (_, weights) => {
    expect(chiSquare(counted(weights, 11), expected(weights))).toBeLessThan(
      chiSquareMax(Math.max(1, weights.length - 1)),
    );
  });

  test.each([0, 0.5, 1, 1.1, 1.6, 3])('draws ranks by the law of Zipf with exponent %d', (skew) => {
    const weights = zipfWeights(50, skew);
    const enough = expected(weights).findLastIndex((count) => count >= 5) + 1;
    const together = (counts: readonly number[]) => {
      const rest = counts.slice(enough).reduce((sum, count) => sum + count, 0);
      return enough === counts.length ? [...counts] : [...counts.slice(0, enough), rest + 1e-9];
    };
    const [drawn, wanted] = [together(counted(weights, 5)), together(expected(weights))];
    expect(chiSquare(drawn, wanted)).toBeLessThan(chiSquareMax(drawn.length - 1));
  });

  test('never draws what has no weight', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(5), { minLength: 1, maxLength: 20 }), fc.nat(), (weights, seed) => {
        fc.pre(weights.some((weight) => weight > 0));
        const [choice, random] = [new WeightedChoice(weights), new Random(seed)];
        for (let draw = 0; draw < 200; draw++) expect(weights[choice.index(random)]).toBeGreaterThan(0);
      }),
    );
  });

  test.each([[[]], [[0, 0]], [[Number.NaN]], [[1e308, 1e308]]])('refuses %j with a clear error', (weights) => {
    expect(() => new WeightedChoice(weights)).toThrow(/weights must sum to/);
  });
});

describe('random numbers', () => {
  test('are the same for the same seed, and others for another seed or stream', () => {
    const first = (seed: number, stream: number) => {
      const random = new Random(seed, stream);
      return Array.from({ length: 10 }, () => random.share());
    };
    expect(first(7, 1)).toEqual(first(7, 1));
    expect(first(7, 1)).not.toEqual(first(7, 2));
    expect(first(7, 1)).not.toEqual(first(8, 1));
    expect(first(7, 1)).not.toEqual(first(7 + 2 ** 32, 1));
  });

  test('are uniform, and both ends of a range come up', () => {
    const random = new Random(3);
    const counts = new Array<number>(20).fill(0);
    for (let draw = 0; draw < DRAWS; draw++) counts[random.between({ from: 0, to: 19 })]!++;
    expect(chiSquare(counts, new Array(20).fill(DRAWS / 20))).toBeLessThan(chiSquareMax(19));
  });

  test('are exponential with the mean that is wanted', () => {
    const random = new Random(4);
    let [sum, above] = [0, 0];
    for (let draw = 0; draw < DRAWS; draw++) {
      const value = random.exponential(2);
      sum += value;
      if (value > 2) above++;
    }
    expect(sum / DRAWS).toBeCloseTo(2, 1);
    expect(above / DRAWS).toBeCloseTo(Math.exp(-1), 2);
  });
});

import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { divide, divideOpen, type Split, SplitError } from '../../src/payments/splits.ts';

const WHOLE = 10_000n;
const sum = (amounts: readonly bigint[]) => amounts.reduce((all, one) => all + one, 0n);
const points = (basisPoints: number): Split => ({ destination: 'x', basisPoints });
const fixed = (amount: bigint): Split => ({ destination: 'x', amount });
const REST: Split = { destination: 'x', rest: true };

describe('dividing an amount', () => {
  it.each<[string, bigint, Split[], bigint[]]>([
    ['by amounts', 100n, [fixed(30n), fixed(70n)], [30n, 70n]],
    ['by basis points', 1_000n, [points(9_000), points(1_000)], [900n, 100n]],
    ['by basis points, the rest to one', 999n, [points(250), REST], [24n, 975n]],
    ['by all three', 1_000n, [fixed(30n), points(1_000), REST], [30n, 100n, 870n]],
    [
      'into thirds, the unit that is left to the largest fraction',
      100n,
      [points(3_333), points(3_333), points(3_334)],
      [33n, 33n, 34n],
    ],
    ['into halves, the unit that is left to the first', 5n, [points(5_000), points(5_000)], [3n, 2n]],
    ['by amounts and basis points that make up the whole', 200n, [fixed(100n), points(5_000)], [100n, 100n]],
  ])('%s', (_, amount, splits, shares) => {
    expect(divide(amount, splits)).toEqual(shares);
  });

  it.each<[string, bigint, Split[], number | null]>([
    ['of more than there is', 100n, [fixed(60n), fixed(60n)], null],
    ['of less than there is', 100n, [fixed(60n), fixed(30n)], null],
    ['of shares of more than the whole', 100n, [points(6_000), points(6_000)], null],
    ['of shares of less than the whole', 100n, [points(6_000), points(3_000)], null],
    ['with two rests', 100n, [REST, REST], null],
    ['that leaves nothing for the rest', 100n, [fixed(100n), REST], 1],
    ['that gives a share of nothing', 10n, [points(1), REST], 0],
  ])('is refused %s', (_, amount, splits, index) => {
    const refusal = expect.objectContaining({ name: 'SplitError', index });
    expect(() => divide(amount, splits)).toThrow(refusal);
  });

  const amount = fc.bigInt(1n, 999_999_999_999_999n);
  const cuts = fc.uniqueArray(fc.integer({ min: 1, max: 9_999 }), { minLength: 1, maxLength: 20 });
  test.prop([amount, cuts])(
    'by basis points always sums to the whole, each within a unit of its share',
    (whole, at) => {
      const edges = [0, ...at.sort((a, b) => a - b), 10_000];
      const splits = edges.slice(1).map((edge, i) => points(edge - edges[i]!));
      const shares = unlessEmpty(() => divide(whole, splits));
      if (!shares) return;
      expect(sum(shares)).toBe(whole);
      for (const [i, share] of shares.entries()) {
        const exact = whole * BigInt((splits[i] as { basisPoints: number }).basisPoints);
        expect(share * WHOLE > exact - WHOLE && share * WHOLE < exact + WHOLE).toBe(true);
      }
    },
  );

  test.prop([
    amount,
    fc.array(fc.oneof(fc.bigInt(1n, 1_000n).map(fixed), fc.integer({ min: 1, max: 2_000 }).map(points)), {
      maxLength: 10,
    }),
  ])('with a rest sums to the whole, or is refused', (whole, splits) => {
    const shares = unlessEmpty(() => divide(whole, [...splits, REST]));
    if (shares) expect(sum(shares)).toBe(whole);
  });

  function unlessEmpty(divided: () => bigint[]): bigint[] | null {
    try {
      return divided();
    } catch (error) {
      if (error instanceof SplitError) return null;
      throw error;
    }
  }
});

describe('dividing a part of what is open', () => {
  const open = fc.array(fc.bigInt(0n, 999_999_999_999n), { minLength: 1, maxLength: 20 });
  test.prop([open, fc.array(fc.nat({ max: 1_000 }), { minLength: 1, maxLength: 10 })])(
    'gives nobody more than is open, and in any parts that make up the whole just what each was to get',
    (shares, weights) => {
      let left = [...shares];
      for (const [n, weight] of weights.entries()) {
        const all = sum(left);
        const part = n === weights.length - 1 ? all : (all * BigInt(weight)) / 1_000n;
        const divided = divideOpen(part, left);
        expect(sum(divided)).toBe(part);
        expect(divided.every((one, i) => one >= 0n && one <= left[i]!)).toBe(true);
        left = left.map((one, i) => one - divided[i]!);
      }
      expect(sum(left)).toBe(0n);
    },
  );
});

import { fc, test } from '@fast-check/vitest';
import { describe, expect } from 'vitest';
import { assign } from '../../src/cluster/assignment.ts';

const books = fc.integer({ min: 1, max: 64 });
const instances = fc.uniqueArray(
  fc.nat(1_000).map((n) => `${n}.kvitt.pay.oslo`),
  { minLength: 1, maxLength: 12 },
);

function counts(assigned: readonly string[], names: readonly string[]): number[] {
  return names.map((name) => assigned.filter((each) => each === name).length);
}

describe('books are assigned', () => {
  test.prop([books, instances])(
    'to every instance as evenly as can be, whatever the order of the names',
    (count, names) => {
      const assigned = assign(count, names);
      expect(assigned).toHaveLength(count);
      const shares = counts(assigned, names);
      expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(1);
      expect(assign(count, [...names].reverse())).toEqual(assigned);
    },
  );

  test('to nobody when there is nobody', () => {
    expect(assign(6, [])).toEqual([]);
  });

  test('so that most stay where they are when one comes or goes', () => {
    let stayed = 0;
    let all = 0;
    for (let run = 0; run < 50; run++) {
      const names = Array.from({ length: 5 }, (_, n) => `${run * 7 + n}.kvitt.pay.oslo`);
      const before = assign(60, names.slice(0, 4));
      const after = assign(60, names);
      stayed += before.filter((name, book) => after[book] === name).length;
      all += before.length;
    }
    // A fifth has to move to the one that came. Drawn at random, four fifths would.
    expect(stayed / all).toBeGreaterThan(0.6);
  });
});

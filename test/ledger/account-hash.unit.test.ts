import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { accountHash } from '../../src/ledger/account-hash.ts';

const ALIKE = 200_000;

describe('the hash of an account', () => {
  test.prop([fc.string({ unit: 'binary', maxLength: 200 })])('is a safe integer, never below zero', (id) => {
    const hash = accountHash(id);
    expect(Number.isSafeInteger(hash)).toBe(true);
    expect(hash).toBeGreaterThanOrEqual(0);
  });

  it('differs between accounts whose ids differ in little', () => {
    const ids = Array.from({ length: ALIKE }, (_, i) => `user:${String(i).padStart(9, '0')}:wallet`);
    expect(new Set(ids.map(accountHash)).size).toBe(ALIKE);
  });

  it('fills its range evenly, in the upper half as in the lower', () => {
    const buckets = (shift: number) => {
      const counts = new Array<number>(64).fill(0);
      for (let i = 0; i < ALIKE; i++) counts[Math.floor(accountHash(`user:${i}`) / 2 ** shift) % 64]!++;
      return counts;
    };
    for (const shift of [0, 26, 47]) {
      const [least, most] = [Math.min(...buckets(shift)), Math.max(...buckets(shift))];
      expect(least).toBeGreaterThan(0.9 * (ALIKE / 64));
      expect(most).toBeLessThan(1.1 * (ALIKE / 64));
    }
  });

  it('never changes: the journal is full of them', () => {
    const known = ['', 'alice', 'world:EUR', 'user:42:wallet', 'kontó:ű'].map(accountHash);
    expect(known).toEqual([
      8_009_207_977_764_147, 929_689_892_093_306, 4_922_816_702_906_743, 7_412_974_669_597_013, 8_175_778_711_043_590,
    ]);
  });
});

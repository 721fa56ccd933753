import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { AccountIds } from '../../src/ledger/account-ids.ts';

const SLOTS = 40;
const MANY = 50_000;
const anId = fc.oneof(
  fc.string({ maxLength: 12 }),
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.string({ minLength: 300, maxLength: 4000 }),
  fc.constant('x'.repeat(70_000)),
);

describe('the ids of the accounts in memory', () => {
  test.prop([fc.array(fc.tuple(fc.nat(SLOTS - 1), anId), { maxLength: 120 })])(
    'are what was set last, of any characters and length',
    (steps) => {
      const ids = new AccountIds();
      const model = new Map<number, string>();
      for (const [slot, id] of steps) {
        ids.set(slot, id);
        model.set(slot, id);
      }
      for (const [slot, id] of model) {
        expect(ids.get(slot)).toBe(id);
        expect(ids.isAt(slot, id)).toBe(true);
        expect(ids.isAt(slot, `${id}x`)).toBe(false);
        expect(ids.isAt(slot, id.slice(1))).toBe(id === '');
        for (const [other, that] of model) expect(ids.isAt(other, id)).toBe(that === id);
      }
    },
  );

  it('stay right while slots are given to others again and again', () => {
    const ids = new AccountIds();
    for (let round = 0; round < 5; round++) {
      for (let slot = round % 2; slot < MANY; slot += 1 + round) ids.set(slot, `round:${round}:${slot}`);
    }
    const expected = Array.from({ length: MANY }, (_, slot) => {
      for (let round = 4; ; round--) {
        const from = round % 2;
        if (slot >= from && (slot - from) % (1 + round) === 0) return `round:${round}:${slot}`;
      }
    });
    expect(expected.filter((id, slot) => ids.get(slot) !== id || !ids.isAt(slot, id))).toEqual([]);
  });
});

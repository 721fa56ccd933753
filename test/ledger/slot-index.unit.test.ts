import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { SlotIndex } from '../../src/ledger/slot-index.ts';

const MANY = 100_000;

function indexOver(ids: readonly string[]): SlotIndex {
  return new SlotIndex({ isAt: (slot, id) => ids[slot] === id });
}

describe('the index of slots', () => {
  test.prop([fc.array(fc.tuple(fc.nat(40), fc.boolean()), { maxLength: 400 })])('finds what a map finds', (steps) => {
    const ids: string[] = [];
    const index = indexOver(ids);
    const model = new Map<string, number>();
    const free: number[] = [];
    for (const [number, isAdded] of steps) {
      const id = `account:${number}`;
      const slot = model.get(id);
      if (isAdded && slot === undefined) {
        const next = free.pop() ?? ids.length;
        ids[next] = id;
        index.add(next, id);
        model.set(id, next);
      } else if (!isAdded && slot !== undefined) {
        index.remove(slot);
        model.delete(id);
        free.push(slot);
      }
      for (let i = 0; i <= 40; i++) expect(index.find(`account:${i}`)).toBe(model.get(`account:${i}`) ?? -1);
      expect(index.size).toBe(model.size);
    }
  });

  it('finds each of many, also when every other was removed and its slot given to another', () => {
    const ids = Array.from({ length: MANY }, (_, i) => `user:${i}:wallet`);
    const index = indexOver(ids);
    for (let slot = 0; slot < MANY; slot++) index.add(slot, ids[slot]!);
    for (let slot = 0; slot < MANY; slot += 2) {
      index.remove(slot);
      ids[slot] = `later:${slot}`;
      index.add(slot, ids[slot]!);
    }
    expect(index.size).toBe(MANY);
    const wrong = ids.filter((id, slot) => index.find(id) !== slot);
    expect(wrong).toEqual([]);
    const gone = Array.from({ length: MANY / 2 }, (_, i) => `user:${2 * i}:wallet`);
    expect(gone.filter((id) => index.find(id) !== -1)).toEqual([]);
  });
});

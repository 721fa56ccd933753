import { describe, expect, it } from 'vitest';
import { RecentOutcomes } from '../../src/ledger/recent-outcomes.ts';
import type { Placed } from '../../src/ledger/types.ts';
import { aPayment } from '../support/commands.ts';

function add(recent: RecentOutcomes, key: string, bytes: number): void {
  const command = aPayment('a', 'b', 1n, { key });
  const entry = { id: command.id, key, kind: 'payment' as const, postings: [], details: {} };
  const placed: Placed = { entry, book: 0, height: 1, at: 0 };
  recent.add({ command, bytes }, placed);
}

describe('recent outcomes', () => {
  it.each<[string, capacity: number, bytesMax: number, sizes: number[], kept: number[]]>([
    ['as many as there may be', 3, 1000, [1, 1, 1, 1, 1], [2, 3, 4]],
    ['as many as fit their bytes', 10, 100, [40, 40, 40, 10], [1, 2, 3]],
    ['the last ones, when a large one pushes several out', 10, 100, [30, 30, 30, 90], [3]],
    ['none that is larger than all of them may be', 10, 100, [50, 101], [0]],
    ['none when there may be none', 0, 100, [1], []],
  ])('are %s', (_, capacity, bytesMax, sizes, kept) => {
    const recent = new RecentOutcomes(capacity, bytesMax);
    for (const [i, bytes] of sizes.entries()) add(recent, `k${i}`, bytes);
    expect(sizes.map((_, i) => i).filter((i) => recent.get(`k${i}`)?.placed.entry.key === `k${i}`)).toEqual(kept);
  });

  it('stay within their limits however many come', () => {
    const recent = new RecentOutcomes(7, 50);
    for (let i = 0; i < 1000; i++) {
      add(recent, `k${i}`, 1 + ((i * 7) % 23));
      expect(recent.size).toBeLessThanOrEqual(7);
      expect(recent.get(`k${i}`)).toBeDefined();
    }
  });
});

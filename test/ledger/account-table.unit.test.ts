import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { AccountTable } from '../../src/ledger/account-table.ts';
import { anAccount } from '../support/commands.ts';

function loaded(table: AccountTable, id: string, posted = 0n): number {
  const slot = table.add(anAccount(id));
  table.finishLoad(slot, table.beginLoad(slot), posted, 0n);
  return slot;
}

describe('the accounts in memory', () => {
  it('keep who an account is and what it holds', () => {
    const table = new AccountTable(10);
    const slot = table.add({ id: 'a', book: 3, currency: 'NOK', minBalance: -5n, maxBalance: 90n });
    expect(table.isLoaded(slot)).toBe(false);
    table.finishLoad(slot, table.beginLoad(slot), 7n, 2n);
    expect(table.isLoaded(slot)).toBe(true);
    const { id, book, currency } = { id: table.id(slot), book: table.book(slot), currency: table.currency(slot) };
    expect({ id, book, currency, limits: table.limits(slot) }).toEqual({
      id: 'a',
      book: 3,
      currency: 'NOK',
      limits: { min: -5n, max: 90n },
    });
    expect([table.posted(slot), table.held(slot)]).toEqual([7n, 2n]);
  });

  it('are never more than the capacity, and the least recently used goes', () => {
    const table = new AccountTable(2);
    loaded(table, 'a');
    loaded(table, 'b');
    loaded(table, 'c');
    expect(table.size).toBe(2);
    expect(table.find('c')).toBeGreaterThanOrEqual(0);
  });

  it('never lose one that is pinned', () => {
    const table = new AccountTable(2);
    const a = loaded(table, 'a', 5n);
    table.pin(a);
    for (const id of ['b', 'c', 'd', 'e']) loaded(table, id);
    expect(table.find('a')).toBe(a);
    expect(table.posted(a)).toBe(5n);
    table.pin(table.find('e'));
    expect(() => table.add(anAccount('f'))).toThrow(/in use/);
    table.unpin(a);
    expect(table.add(anAccount('f'))).toBe(a);
  });

  it('give no limits of an evicted account to the one that takes its place', () => {
    const table = new AccountTable(1);
    table.add(anAccount('world', { minBalance: null }));
    expect(table.limits(table.add(anAccount('a')))).toEqual({ min: 0n, max: null });
  });

  it('do not take a balance that was read before a block changed it', () => {
    const table = new AccountTable(4);
    const slot = table.add(anAccount('a'));
    const before = table.beginLoad(slot);
    table.set(slot, 100n, 0n);
    const after = table.beginLoad(slot);
    table.finishLoad(slot, before, 50n, 0n);
    expect(table.isLoaded(slot)).toBe(false);
    table.finishLoad(slot, after, 100n, 0n);
    expect(table.posted(slot)).toBe(100n);
  });

  it.each<[string, (table: AccountTable) => void]>([
    ['another account took the slot', (table) => table.add(anAccount('b'))],
    ['all was forgotten', (table) => table.unloadAll()],
  ])('do not take a balance that was read before %s', (_, change) => {
    const table = new AccountTable(1);
    const slot = table.add(anAccount('a'));
    const version = table.beginLoad(slot);
    change(table);
    table.finishLoad(slot, version, 50n, 0n);
    expect(table.isLoaded(slot)).toBe(false);
  });

  test.prop([
    fc.array(fc.tuple(fc.integer({ min: 0, max: 50 }), fc.bigInt(-(2n ** 62n), 2n ** 62n)), { maxLength: 300 }),
  ])('grow without mixing balances up', (changes) => {
    const table = new AccountTable(5000);
    const model = new Map<string, bigint>();
    for (let i = 0; i < 1500; i++) loaded(table, `filler${i}`, BigInt(i));
    for (const [number, amount] of changes) {
      const id = `a${number}`;
      const slot = table.find(id) < 0 ? loaded(table, id) : table.find(id);
      const posted = BigInt.asIntN(64, (model.get(id) ?? 0n) + amount);
      table.set(slot, posted, 0n);
      model.set(id, posted);
    }
    for (const [id, posted] of model) expect(table.posted(table.find(id))).toBe(posted);
    expect(table.posted(table.find('filler1499'))).toBe(1499n);
  });
});

import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { isSystemAccount, planCrossing, reversalOf } from '../../src/ledger/crossing.ts';
import type { Leg } from '../../src/ledger/types.ts';

const leg = (account: string, amount: bigint, currency = 'EUR'): Leg => ({ account, amount, currency });
const shown = (legs: readonly Leg[]) => legs.map(({ account, amount }) => `${account} ${amount}`);

describe('a command over several books', () => {
  it('from one book to another takes first, over transit, and gives then', () => {
    const { debits, credits } = planCrossing([leg('a', -7n), leg('b', 7n)], (i) => [3, 5][i]!);
    expect(debits.map(({ book, legs }) => [book, ...shown(legs)])).toEqual([[3, 'a -7', 'transit:3:5:EUR 7']]);
    expect(credits.map(({ book, legs }) => [book, ...shown(legs)])).toEqual([[5, 'b 7', 'transit:5:3:EUR -7']]);
  });

  it('gives within the only book that takes at once, so that this can still be refused', () => {
    const { debits, credits } = planCrossing([leg('a', -7n), leg('b', 3n), leg('c', 4n)], (i) => [0, 0, 1][i]!);
    expect(debits.map(({ legs }) => shown(legs))).toEqual([['a -7', 'b 3', 'transit:0:1:EUR 4']]);
    expect(credits.map(({ legs }) => shown(legs))).toEqual([['c 4', 'transit:1:0:EUR -4']]);
  });

  it('gives only after all have given when several take', () => {
    const legs = [leg('a', -7n), leg('b', -3n), leg('c', 4n), leg('d', 6n)];
    const { debits, credits } = planCrossing(legs, (i) => [0, 1, 0, 2][i]!);
    expect(debits.map(({ book, legs }) => [book, ...shown(legs)])).toEqual([
      [0, 'a -7', 'transit:0:0:EUR 4', 'transit:0:2:EUR 3'],
      [1, 'b -3', 'transit:1:2:EUR 3'],
    ]);
    expect(credits.map(({ book, legs }) => [book, ...shown(legs)])).toEqual([
      [0, 'c 4', 'transit:0:0:EUR -4'],
      [2, 'd 6', 'transit:2:0:EUR -3', 'transit:2:1:EUR -3'],
    ]);
  });

  it('exchanges currencies through an exchange account', () => {
    const legs = [leg('a', -100n), leg('x:EUR', 100n), leg('x:NOK', -1100n, 'NOK'), leg('b', 1100n, 'NOK')];
    const { debits, credits } = planCrossing(legs, (i) => [0, 1, 1, 2][i]!);
    expect(debits.map(({ book, legs }) => [book, ...shown(legs)])).toEqual([
      [0, 'a -100', 'transit:0:1:EUR 100'],
      [1, 'x:NOK -1100', 'transit:1:2:NOK 1100'],
    ]);
    expect(credits.map(({ book, legs }) => [book, ...shown(legs)])).toEqual([
      [1, 'x:EUR 100', 'transit:1:0:EUR -100'],
      [2, 'b 1100', 'transit:2:1:NOK -1100'],
    ]);
  });

  const amounts = fc.array(fc.tuple(fc.bigInt(1n, 1000n), fc.nat(4), fc.constantFrom('EUR', 'NOK')), {
    minLength: 1,
    maxLength: 12,
  });
  test.prop([amounts, fc.array(fc.nat(4), { minLength: 1, maxLength: 8 })])(
    'is the same legs again, in parts that balance and mirror each other',
    (givers, takers) => {
      const legs: Leg[] = [];
      const books: number[] = [];
      const add = (one: Leg, book: number) => books.push(book) && legs.push(one);
      for (const [i, [amount, book, currency]] of givers.entries()) {
        add(leg(`g${i}`, -amount, currency), book);
        add(leg(`t${i}`, amount, currency), takers[i % takers.length]!);
      }
      const { debits, credits } = planCrossing(legs, (i) => books[i]!);
      const parts = [...debits, ...credits];
      const real = parts.flatMap(({ legs }) => legs).filter(({ account }) => !isSystemAccount(account));
      expect(real.toSorted(byAccount)).toEqual(legs.toSorted(byAccount));
      for (const { legs: own } of [...parts, ...debits.map(reversalOf)]) {
        for (const currency of ['EUR', 'NOK']) expect(sum(own, currency)).toBe(0n);
        expect(new Set(own.map(({ account }) => account)).size).toBe(own.length);
      }
      const transit = new Map<string, bigint>();
      for (const { account, amount } of parts.flatMap(({ legs }) => legs)) {
        if (isSystemAccount(account)) transit.set(account, (transit.get(account) ?? 0n) + amount);
      }
      for (const [account, amount] of transit) {
        const [, from, to, currency] = account.split(':');
        expect(amount + (from === to ? 0n : transit.get(`transit:${to}:${from}:${currency}`)!)).toBe(0n);
      }
      if (debits.length > 1) for (const { legs } of debits) expect(legs.some(isCredit)).toBe(false);
    },
  );
});

const isCredit = ({ account, amount }: Leg) => amount > 0n && !isSystemAccount(account);
const byAccount = (a: Leg, b: Leg) => (a.account < b.account ? -1 : 1);

function sum(legs: readonly Leg[], currency: string): bigint {
  return legs.reduce((all, one) => (one.currency === currency ? all + one.amount : all), 0n);
}

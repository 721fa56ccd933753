import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type MatchOptions, matchStatement, Statement } from '../../src/reconciliation/match.ts';
import { OUTCOMES, type Outcome } from '../../src/reconciliation/outcomes.ts';
import type { MatchablePayment } from '../../src/reconciliation/ports.ts';
import { parseDay, StatementError, type StatementRecord, startOfDay } from '../../src/statements/statement.ts';
import { each } from '../verification/model.ts';
import { randomFrom } from '../verification/random-model.ts';

const FIRST = parseDay('2026-03-01')!;
const LAST = parseDay('2026-03-31')!;
const PERIOD: MatchOptions = { from: FIRST, to: LAST };

type Money = { amount?: bigint; currency?: string; day?: number };

/** A statement and the ledger it is compared with. */
class Sides {
  records: StatementRecord[] = [];
  payments: MatchablePayment[] = [];

  there(reference: string, { amount = 1_000n, currency = 'EUR', day = FIRST }: Money = {}): this {
    const line = this.records.length + 2;
    this.records.push({ line, reference, amount, currency, day, id: null, description: null });
    return this;
  }

  here(reference: string | null, { amount = 1_000n, currency = 'EUR', day = FIRST }: Money = {}, source = 'a'): this {
    const id = `pay_${String(this.payments.length + 1).padStart(6, '0')}`;
    // At the end of the day: times within a day must not matter.
    const createdAt = new Date(startOfDay(day + 1).getTime() - 1);
    this.payments.push({ id, reference, amount, currency, source, destination: 'world:EUR', createdAt });
    return this;
  }

  async match(options: MatchOptions = PERIOD) {
    const statement = await Statement.read(each(this.records));
    const all = this.payments;
    return await matchStatement(
      statement,
      { postedPayments: (from, to) => each(all.filter(({ createdAt }) => createdAt >= from && createdAt < to)) },
      options,
    );
  }

  /** `<outcome> <reference>`, in order. */
  async differences(options?: MatchOptions): Promise<string[]> {
    const { items } = await this.match(options);
    return items.map(({ outcome, reference }) => `${outcome} ${reference}`);
  }
}

describe('one reference', () => {
  test.each<[string, Sides, string[]]>([
    ['the same on both sides', new Sides().there('A').here('A'), []],
    ['a day later here', new Sides().there('A').here('A', { day: FIRST + 1 }), []],
    ['a day earlier here, before the period', new Sides().there('A').here('A', { day: FIRST - 1 }), []],
    ['two days apart', new Sides().there('A').here('A', { day: FIRST + 2 }), ['date_differs A']],
    ['thirty days before the period', new Sides().there('A').here('A', { day: FIRST - 30 }), ['date_differs A']],
    ['longer ago', new Sides().there('A').here('A', { day: FIRST - 31 }), ['missing_here A']],
    ['another amount', new Sides().there('A').here('A', { amount: 999n }), ['amount_differs A']],
    ['another currency', new Sides().there('A').here('A', { currency: 'USD' }), ['currency_differs A']],
    [
      'other amount and currency',
      new Sides().there('A').here('A', { currency: 'USD', amount: 5n }),
      ['currency_differs A'],
    ],
    ['only there', new Sides().there('A').here('B', { day: LAST + 1 }), ['missing_here A']],
    ['only here', new Sides().here('A'), ['missing_there A']],
    ['only here, on the last day', new Sides().here('A', { day: LAST }), ['missing_there A']],
    ['only here, outside of the period', new Sides().here('A', { day: LAST + 1 }).here('B', { day: FIRST - 1 }), []],
    ['twice here', new Sides().there('A').here('A').here('A'), ['duplicate_here A']],
    ['twice there', new Sides().there('A').there('A').here('A'), ['duplicate_there A']],
    ['twice on both sides', new Sides().there('A').there('A').here('A').here('A'), []],
    ['twice there, never here', new Sides().there('A').there('A'), ['missing_here A', 'missing_here A']],
    [
      'twice there with another amount here',
      new Sides().there('A').there('A').here('A', { amount: 1n }),
      ['amount_differs A', 'duplicate_there A'],
    ],
    ['two instalments, one missing', new Sides().there('A').there('A', { amount: 5n }).here('A'), ['missing_here A']],
    [
      'two instalments in the other order',
      new Sides().there('A').there('A', { amount: 5n }).here('A', { amount: 5n }).here('A'),
      [],
    ],
    [
      'two instalments in two currencies',
      new Sides().there('A').there('A', { currency: 'USD' }).here('A', { currency: 'USD' }).here('A'),
      [],
    ],
    ['the exact one first', new Sides().there('A').here('A', { amount: 5n }).here('A'), ['missing_there A']],
    [
      'every month the same, this month missing here',
      new Sides()
        .there('A')
        .here('A', { day: LAST + 20 })
        .there('A', { day: LAST })
        .here('A', { day: LAST }),
      ['date_differs A'],
    ],
  ])('%s', async (_name, sides, expected) => {
    expect(await sides.differences()).toEqual(expected);
  });

  test('pairs as many as fit when dates overlap', async () => {
    const sides = new Sides();
    for (const day of [2, 3, 4]) sides.there('A', { day: FIRST + day });
    for (const day of [1, 2, 5]) sides.here('A', { day: FIRST + day });
    expect(await sides.differences()).toEqual([]);
  });
});

describe('what is compared', () => {
  test('a payment without a reference is known by its id', async () => {
    expect(await new Sides().there('pay_000001').here(null).here(null).differences()).toEqual([
      'missing_there pay_000002',
    ]);
  });

  test('the period is that of the statement, unless given', async () => {
    const sides = new Sides()
      .there('A')
      .here('A')
      .there('B', { day: FIRST + 3 })
      .here('B', { day: FIRST + 3 })
      .here('C', { day: FIRST + 4 });
    expect(await sides.differences({})).toEqual([]);
    expect(await sides.differences({ to: FIRST + 4 })).toEqual(['missing_there C']);
  });

  test('a wider window matches what is further apart', async () => {
    const sides = new Sides().there('A').here('A', { day: FIRST + 5 });
    expect(await sides.differences({ ...PERIOD, windowDays: 5 })).toEqual([]);
    expect(await sides.differences({ ...PERIOD, windowDays: 0 })).toEqual(['date_differs A']);
  });

  test('only payments of an account, or of accounts with a prefix', async () => {
    const sides = new Sides().here('A', {}, 'a').here('B', {}, 'b:1').here('C', {}, 'b:2');
    expect(await sides.differences({ ...PERIOD, account: 'a' })).toEqual(['missing_there A']);
    expect(await sides.differences({ ...PERIOD, account: 'b:*' })).toEqual(['missing_there B', 'missing_there C']);
    expect(await sides.differences({ ...PERIOD, account: 'world:*' })).toHaveLength(3);
    expect(await sides.differences({ ...PERIOD, account: 'b' })).toEqual([]);
  });

  test.each<[string, Sides, MatchOptions, RegExp]>([
    ['no records and no period', new Sides(), {}, /say which period/],
    [
      'a record outside of the period',
      new Sides().there('A', { day: LAST + 1 }),
      PERIOD,
      /2026-04-01 to 2026-04-01, beyond/,
    ],
    ['a period that ends before it begins', new Sides(), { from: LAST, to: FIRST }, /ends before it begins/],
    ['a window that is no number of days', new Sides().there('A'), { windowDays: 1.5 }, /0 to 30 days/],
    ['a window too wide', new Sides().there('A'), { windowDays: 31 }, /0 to 30 days/],
  ])('%s is refused', async (_name, sides, options, message) => {
    await expect(sides.match(options)).rejects.toThrow(message);
    await expect(sides.match(options)).rejects.toBeInstanceOf(StatementError);
  });
});

test('the result says what it compared, sums it up, and tells each difference with both sides', async () => {
  const sides = new Sides()
    .there('A', { amount: 1_234n })
    .here('A', { amount: 1_243n })
    .there('B')
    .here('B')
    .here('C', { day: LAST, currency: 'JPY' });
  const { summary, items } = await sides.match({ ...PERIOD, account: 'a' });
  expect(summary).toEqual({
    from: '2026-03-01',
    to: '2026-03-31',
    windowDays: 1,
    account: 'a',
    records: 2,
    payments: 3,
    counts: {
      ...Object.fromEntries(OUTCOMES.map((outcome) => [outcome, 0])),
      matched: 1,
      amount_differs: 1,
      missing_there: 1,
    },
    differences: 2,
    totals: [
      { currency: 'EUR', statement: 2_234n, ledger: 2_243n, difference: -9n, matched: 1_000n },
      { currency: 'JPY', statement: 0n, ledger: 1_000n, difference: -1_000n, matched: 0n },
    ],
  });
  expect(items).toEqual([
    {
      position: 1,
      outcome: 'amount_differs',
      reference: 'A',
      statement: { line: 2, id: null, amount: 1_234n, currency: 'EUR', date: '2026-03-01', description: null },
      payment: { id: 'pay_000001', amount: 1_243n, currency: 'EUR', date: '2026-03-01' },
      message: 'the statement has 12.34 EUR on 2026-03-01, the ledger has 12.43 EUR on 2026-03-01',
    },
    {
      position: 2,
      outcome: 'missing_there',
      reference: 'C',
      statement: null,
      payment: { id: 'pay_000003', amount: 1_000n, currency: 'JPY', date: '2026-03-31' },
      message: 'the ledger has 1000 JPY on 2026-03-31, the statement does not',
    },
  ]);
});

test('only the first differences are kept, and all are counted', async () => {
  const sides = new Sides().there('X');
  for (let i = 0; i < 50; i++) sides.here(`A${i}`, { day: LAST - (i % 7) });
  const [all, few] = [await sides.match(), await sides.match({ ...PERIOD, itemsKept: 5 })];
  expect(all.items).toHaveLength(51);
  expect(few.items).toEqual(all.items.slice(0, 5));
  expect(few.summary).toEqual(all.summary);
});

/** How each difference is planted; every reference is used once. */
const PLANTS: Readonly<
  Record<Outcome, (sides: Sides, reference: string, money: Required<Money>, random: (n: number) => number) => void>
> = {
  matched: (sides, reference, money, random) => {
    sides.there(reference, money).here(reference, { ...money, day: money.day + random(3) - 1 });
  },
  missing_here: (sides, reference, money) => {
    sides.there(reference, money);
  },
  missing_there: (sides, reference, money) => {
    sides.here(reference, money);
  },
  amount_differs: (sides, reference, money, random) => {
    sides.there(reference, money).here(reference, { ...money, amount: money.amount + BigInt(1 + random(9)) });
  },
  currency_differs: (sides, reference, money) => {
    sides.there(reference, money).here(reference, { ...money, currency: 'NOK' });
  },
  date_differs: (sides, reference, money, random) => {
    const days = 2 + random(20);
    sides.there(reference, money).here(reference, { ...money, day: money.day + (random(2) === 0 ? days : -days) });
  },
  duplicate_here: (sides, reference, money) => {
    sides.there(reference, money).here(reference, money).here(reference, money);
  },
  duplicate_there: (sides, reference, money) => {
    sides.there(reference, money).here(reference, money).there(reference, money);
  },
};

function shuffled<T>(all: readonly T[], random: (n: number) => number): T[] {
  const copy = [...all];
  for (let i = copy.length - 1; i > 0; i--) {
    const j = random(i + 1);
    [copy[i], copy[j]] = [copy[j]!, copy[i]!];
  }
  return copy;
}

test('every planted difference is found, nothing else, in any order of the payments', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.constantFrom(...OUTCOMES), { maxLength: 60 }), fc.integer(), async (planted, seed) => {
      const random = randomFrom(seed);
      const sides = new Sides();
      planted.forEach((outcome, i) => {
        const money = {
          amount: BigInt(1 + random(3)),
          currency: random(2) === 0 ? 'EUR' : 'JPY',
          day: FIRST + random(31),
        };
        PLANTS[outcome](sides, `R${i}`, money, random);
      });
      const result = await sides.match();
      const expected = planted.flatMap((outcome, i) => (outcome === 'matched' ? [] : [`${outcome} R${i}`]));
      expect(result.items.map(({ outcome, reference }) => `${outcome} ${reference}`).sort()).toEqual(expected.sort());
      const matched = planted.filter((outcome) => outcome === 'matched' || outcome.startsWith('duplicate')).length;
      expect(result.summary.counts.matched).toBe(matched);
      sides.payments = shuffled(sides.payments, random);
      expect(await sides.match()).toEqual(result);
    }),
    { numRuns: 200 },
  );
});

import { describe, expect, test } from 'vitest';
import { EXACT, FIRST, LAST, Sides } from './support/sides.ts';

describe('what no rule has matched', () => {
  test.each<[string, Sides, string[]]>([
    ['the same on both sides', new Sides().there('A').here('A'), []],
    ['a day later here', new Sides().there('A').here('A', { day: FIRST + 1 }), []],
    ['a day earlier here, before the period', new Sides().there('A').here('A', { day: FIRST - 1 }), []],
    ['two days apart', new Sides().there('A').here('A', { day: FIRST + 2 }), ['date_differs A']],
    ['long before the period', new Sides().there('A').here('A', { day: FIRST - 30 }), ['date_differs A']],
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
    [
      'once more than an earlier statement had it',
      new Sides().there('A').here('A', { isSettled: true }),
      ['duplicate_there A'],
    ],
    ['had by an earlier statement', new Sides().here('A', { isSettled: true }), []],
    [
      'paid out there, and in here',
      new Sides().there('A', { direction: 'out' }).here('A', { direction: 'in' }),
      ['amount_differs A'],
    ],
    ['the direction not said there', new Sides().there('A').here('A', { direction: 'in' }), []],
  ])('%s', (_name, sides, expected) => {
    expect(sides.findings({ rules: EXACT })).toEqual(expected);
  });

  test('pairs as many as fit when dates overlap', () => {
    const sides = new Sides();
    for (const day of [2, 3, 4]) sides.there('A', { day: FIRST + day });
    for (const day of [1, 2, 5]) sides.here('A', { day: FIRST + day });
    expect(sides.findings({ rules: EXACT })).toEqual([]);
  });

  test('what the ledger has on the last days may come with the next statement', () => {
    const sides = new Sides()
      .here('A', { day: LAST })
      .here('B', { day: LAST - 1 })
      .here('C', { day: LAST - 2 });
    expect(sides.findings({ timingDays: 2 })).toEqual(['missing_there C', 'timing A', 'timing B']);
  });

  test('a payment without a reference is known by its id', () => {
    const sides = new Sides().here(null).here(null);
    const [first, second] = sides.items;
    sides.there(first!.item.payment);
    expect(sides.findings({ rules: EXACT })).toEqual([`missing_there ${second!.item.payment}`]);
  });

  test('a line that bears the id of a payment without dashes means just that payment', () => {
    const sides = new Sides().here('same').here('same', { day: FIRST + 1 });
    const [, second] = sides.items;
    sides.there(second!.item.payment!.replace('_', '').replaceAll('-', '').toUpperCase());
    const { comparison } = sides.compare({ rules: EXACT });
    const [match] = comparison.matches();
    expect(match!.items.map((item) => comparison.items.id(item))).toEqual([second!.item.id]);
  });

  test('a line that is there once too often keeps what it says', () => {
    const sides = new Sides().here('INV-100001');
    for (const id of ['B1', 'B2']) sides.there('INV-100001', { id, text: `THANK YOU ${id}` });
    const { comparison } = sides.compare({ rules: EXACT });
    const [finding, ...more] = [...comparison.findings()];
    expect([finding!.cause, more]).toEqual(['duplicate_there', []]);
    expect(comparison.line(finding!.line!)).toMatchObject({ id: 'B2', text: 'THANK YOU B2' });
  });
});

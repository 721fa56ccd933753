import { describe, expect, test } from 'vitest';
import { DEFAULT_RULES } from '../../src/matching/rules.ts';
import { FIRST, Sides } from './support/sides.ts';

const ref = (text: string) => ({ text });

describe('a reference that stands somewhere in the line', () => {
  test.each<[string, Sides, string[]]>([
    [
      'in the text',
      new Sides().there(null, ref('Thank you INV-1001 John')).here('INV-1001'),
      ['reference_contained 2 = INV-1001'],
    ],
    [
      'with other spaces and punctuation',
      new Sides().there(null, ref('inv 10 01/paid')).here('INV-1001'),
      ['reference_contained 2 = INV-1001'],
    ],
    ['in a reference', new Sides().there('RF INV-1001 X').here('INV-1001'), ['reference_contained 2 = INV-1001']],
    ['cut in lower case', new Sides().there(null, ref('xinv1001')).here('INV-1001', { amount: 1n }), []],
    [
      'within a longer number',
      new Sides()
        .there(null, ref('510012345'))
        .here('100123', { day: FIRST + 1 })
        .here(null),
      [],
    ],
    [
      'shorter than is looked for',
      new Sides()
        .there(null, ref('A1 B2'))
        .here('A1', { day: FIRST + 1 })
        .here(null),
      [],
    ],
    ['another amount', new Sides().there(null, ref('INV-1001')).here('INV-1001', { amount: 9n }), []],
    [
      'the longer of two',
      new Sides().there(null, ref('INV-1001-2')).here('INV-1001').here('INV-1001-2'),
      ['reference_contained 2 = INV-1001-2'],
    ],
    [
      'in letters that are not Latin',
      new Sides().there(null, ref('оплата СЧЁТ-77123')).here('счёт-77123'),
      ['reference_contained 2 = счёт-77123'],
    ],
  ])('%s', (_name, sides, expected) => {
    expect(sides.matches({ rules: DEFAULT_RULES.slice(0, 2) })).toEqual(expected);
  });

  test('two that fit are not told apart', () => {
    const sides = new Sides().there(null, ref('INV-1001 INV-1002')).here('INV-1001').here('INV-1002');
    expect(sides.matches({ rules: DEFAULT_RULES.slice(0, 2) })).toEqual([]);
  });
});

describe('tolerance', () => {
  const within = (more: { absolute?: number; percent?: number; fees?: boolean }) => ({
    rules: [{ rule: 'tolerance', absolute: 0, percent: 0, fees: false, ...more }] as const,
  });
  test.each<[string, Sides, Parameters<typeof within>[0], string[]]>([
    [
      'absolute, as far as it goes',
      new Sides().there('A', { amount: 1_005n }).here('A'),
      { absolute: 5 },
      ['tolerance 2 = A'],
    ],
    ['absolute, one further', new Sides().there('A', { amount: 1_006n }).here('A'), { absolute: 5 }, []],
    ['per cent', new Sides().there('A', { amount: 990n }).here('A'), { percent: 1 }, ['tolerance 2 = A']],
    ['per cent, one further', new Sides().there('A', { amount: 989n }).here('A'), { percent: 1 }, []],
    [
      'fees that the line names',
      new Sides().there('A', { amount: 1_030n, fee: 30n }).here('A'),
      { fees: true },
      ['tolerance 2 = A'],
    ],
    ['fees that are others', new Sides().there('A', { amount: 1_030n, fee: 29n }).here('A'), { fees: true }, []],
    ['another currency', new Sides().there('A', { currency: 'USD' }).here('A'), { absolute: 5 }, []],
    [
      'the nearest of several',
      new Sides().there('A', { amount: 1_002n }).there('A', { amount: 999n }).here('A'),
      { absolute: 5 },
      ['tolerance 3 = A'],
    ],
    [
      'the other direction',
      new Sides().there('A', { direction: 'out', amount: 1n }).here('A', { direction: 'in', amount: 1n }),
      { absolute: 5 },
      [],
    ],
  ])('%s', (_name, sides, more, expected) => {
    expect(sides.matches(within(more))).toEqual(expected);
  });
});

describe('one line against many, and many against one', () => {
  test.each<[string, Sides, string[]]>([
    [
      'a payout against its group, less what was refunded in it',
      new Sides()
        .there('po_1', { amount: 1_700n, direction: 'in' })
        .here('A', { group: 'po_1', direction: 'in' })
        .here('B', { group: 'po_1', direction: 'in' })
        .here('C', { group: 'po_1', direction: 'out', amount: 300n }),
      ['one_to_many 2 = A+B+C'],
    ],
    [
      'a payout after fees that the line names',
      new Sides()
        .there(null, { text: 'STRIPE po_123456', amount: 2_000n, fee: 58n })
        .here('A', { group: 'po_123456', amount: 942n })
        .here('B', { group: 'po_123456' }),
      ['one_to_many 2 = A+B'],
    ],
    [
      'a payment for several invoices',
      new Sides()
        .there(null, { text: 'INV-1001, INV-1002 and INV-1003', amount: 3_000n })
        .here('INV-1001')
        .here('INV-1002')
        .here('INV-1003'),
      ['one_to_many 2 = INV-1001+INV-1002+INV-1003'],
    ],
    [
      'captures of one payment',
      new Sides().there('A', { amount: 2_000n }).here('A', { amount: 1_500n }).here('A', { amount: 500n }),
      ['one_to_many 2 = A+A'],
    ],
    [
      'a batch booking that is not itemised, by the day and how many it says',
      new Sides()
        .there(null, { amount: 2_001n, count: 2 })
        .here('A')
        .here('B', { amount: 1_001n })
        .here('C', { day: FIRST + 1 }),
      ['one_to_many 2 = A+B'],
    ],
    [
      'a batch booking of another number',
      new Sides().there(null, { amount: 2_001n, count: 3 }).here('A').here('B', { amount: 1_001n }),
      [],
    ],
    [
      'a group whose sum differs',
      new Sides().there('po_1', { amount: 1_999n }).here('A', { group: 'po_1' }).here('B', { group: 'po_1' }),
      [],
    ],
    [
      'instalments of one invoice',
      new Sides()
        .there('A', { amount: 400n })
        .there('A', { amount: 600n, day: FIRST + 5 })
        .here('A'),
      ['many_to_one 2+3 = A'],
    ],
    [
      'the rows of a payout against one movement of what was left of it',
      new Sides()
        .there('x1', { amount: 500n, fee: 10n, batch: 'po_77' })
        .there('x2', { amount: 600n, fee: 20n, batch: 'po_77' })
        .here('po_77', { amount: 1_070n }),
      ['many_to_one 2+3 = po_77'],
    ],
    [
      'the rows of a payout against the movements of a group',
      new Sides()
        .there('x1', { amount: 500n, batch: 'po_77' })
        .there('x2', { amount: 600n, batch: 'po_77' })
        .here('A', { amount: 1_000n, group: 'po_77' })
        .here('B', { amount: 100n, group: 'po_77' }),
      ['many_to_many 2+3 = A+B'],
    ],
    [
      'too far apart in time',
      new Sides()
        .there('A', { amount: 2_000n })
        .here('A', { day: FIRST + 15 })
        .here('A', { day: FIRST + 15 }),
      [],
    ],
  ])('%s', (_name, sides, expected) => {
    expect(sides.matches()).toEqual(expected);
  });
});

describe('amount and date', () => {
  test.each<[string, Sides, string[]]>([
    ['one of each', new Sides().there(null).here('A'), ['amount_date 2 = A']],
    ['outside of the window', new Sides().there(null).here('A', { day: FIRST + 2 }), []],
    ['two items for one line', new Sides().there(null).here('A').here('B'), []],
    ['two lines for one item', new Sides().there(null).there(null).here('A'), []],
    [
      'all of a day alike, and as many',
      new Sides().there(null).there(null).here('A').here('B'),
      ['amount_date 2+3 = A+B'],
    ],
    ['another reference of the same form', new Sides().there('INV-2002').here('INV-1771'), []],
    ['a reference of another form', new Sides().there('F/2026').here('INV-1001'), ['amount_date 2 = INV-1001']],
    [
      'which of two, by a reference with a wrong letter',
      new Sides().there('INV-1OO1-77').here('INV-1001-77').here('INV-5213-12'),
      ['amount_date 2 = INV-1001-77'],
    ],
    [
      'which of two, by a reference that was cut',
      new Sides().there(null, { text: 'INV-1001-7' }).here('INV-1001-77').here('INV-5213-12'),
      ['amount_date 2 = INV-1001-77'],
    ],
    ['not when two are as near', new Sides().there('INV-100X-77').here('INV-1001-77').here('INV-1002-77'), []],
  ])('%s', (_name, sides, expected) => {
    expect(sides.matches()).toEqual(expected);
  });
});

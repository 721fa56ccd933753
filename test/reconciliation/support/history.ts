/** Some days of a ledger and of the statements about it, made from what becomes of each payment. */
import fc from 'fast-check';
import type { LedgerItem } from '../../../src/matching/types.ts';
import { anItem, DAY, type Line } from './sides.ts';

export const DAYS = 6;

/** What becomes of a payment. Days are counted from its own. */
export const FATES = [
  'same_day',
  /** In the next statement, of that day. */
  'next_day',
  'late',
  'never',
  /** The statement has it twice. */
  'twice',
  /** The next statement has it once more. */
  'again',
  /** With another amount, and the day after with the right one. */
  'amended',
  /** The same, but the right one comes three days later. */
  'amended_late',
  /** The amount stays another one. */
  'differs',
  'only_there',
  /** The ledger has it a day later. */
  'ledger_late',
  'ledger_twice',
  /** In two parts, in two statements. */
  'instalments',
  /** With another one of the same reference, and they come in the other order. */
  'swapped',
  /** Nothing names it. */
  'unnamed',
  /** Several in one, which names what they were paid out with. */
  'paid_out',
  /** The same, and what was missing then comes by itself. */
  'paid_out_in_part',
] as const;
export type Fate = (typeof FATES)[number];

export interface Life {
  readonly fate: Fate;
  readonly day: number;
  readonly kind: 'payment' | 'refund' | 'payout';
}

/** What people and machines do besides. */
export interface Day {
  /** Somebody resolves so many of the open breaks, from the first. */
  readonly resolves: number;
  /** The run is cut off at these calls, one after the other. */
  readonly cuts: readonly { readonly at: number; readonly isDone: boolean }[];
}

export interface History {
  readonly lives: readonly Life[];
  readonly days: readonly Day[];
}

const life: fc.Arbitrary<Life> = fc.record({
  fate: fc.constantFrom(...FATES),
  day: fc.nat(DAYS - 1),
  kind: fc.constantFrom('payment', 'refund', 'payout'),
});
const cut = fc.record({ at: fc.nat(30), isDone: fc.boolean() });
const day: fc.Arbitrary<Day> = fc.record({
  resolves: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(2) }),
  cuts: fc.array(cut, { maxLength: 3 }),
});
export const history: fc.Arbitrary<History> = fc.record({
  lives: fc.array(life, { minLength: 1, maxLength: 25 }),
  days: fc.array(day, { minLength: DAYS, maxLength: DAYS }),
});

/** A movement as it was meant: which lines and items are of it. */
export interface Movement extends Life {
  readonly reference: string;
  readonly lines: readonly Line[];
  readonly items: readonly LedgerItem[];
}

export function movementsOf({ lives }: History): Movement[] {
  return lives.map((one, i) => {
    // No two are near to each other, by reference or amount.
    const reference = `INV-${(100_000_007 + i * 12_345_677) % 900_000_000}`;
    const size = 10_000 + 1_000 * i;
    const amount = one.kind === 'payment' ? size : -size;
    const kind = one.kind === 'refund' ? 'refund' : 'payment';
    const item: MakeItem = (later = 0, { name = '', amount: its = amount, ...more } = {}) =>
      anItem(`${reference} ${name}`, its, DAY + one.day + later, { reference, kind, ...more });
    const line: MakeLine = (later = 0, its = amount) => ({ reference, amount: its, day: DAY + one.day + later });
    return { ...one, reference, ...sidesOf(one.fate, line, item, amount) };
  });
}

type MakeLine = (later?: number, amount?: number) => Line & { reference: string };
type ItemMore = { name?: string; amount?: number; group?: string; reference?: null };
type MakeItem = (later?: number, more?: ItemMore) => LedgerItem;

function sidesOf(fate: Fate, line: MakeLine, item: MakeItem, amount: number): Pick<Movement, 'lines' | 'items'> {
  const wrong = amount + 7;
  const third = Math.trunc(amount / 3);
  switch (fate) {
    case 'same_day':
      return { lines: [line()], items: [item()] };
    case 'next_day':
      return { lines: [line(1)], items: [item()] };
    case 'late':
      return { lines: [line(2)], items: [item()] };
    case 'never':
      return { lines: [], items: [item()] };
    case 'twice':
      return { lines: [line(), line()], items: [item()] };
    case 'again':
      return { lines: [line(), line(1)], items: [item()] };
    case 'amended':
      return { lines: [line(0, wrong), line(1)], items: [item()] };
    case 'amended_late':
      return { lines: [line(0, wrong), line(3)], items: [item()] };
    case 'differs':
      return { lines: [line(0, wrong)], items: [item()] };
    case 'only_there':
      return { lines: [line()], items: [] };
    case 'ledger_late':
      return { lines: [line()], items: [item(1)] };
    case 'ledger_twice':
      return { lines: [line()], items: [item(), item(0, { name: 'again' })] };
    case 'instalments':
      return { lines: [line(0, third), line(1, amount - third)], items: [item()] };
    case 'swapped':
      return { lines: [line(0, amount * 2), line(1)], items: [item(), item(0, { name: 'other', amount: amount * 2 })] };
    case 'unnamed':
      return { lines: [{ ...line(1), reference: '', text: 'THANK YOU' }], items: [item()] };
    case 'paid_out':
    case 'paid_out_in_part': {
      const group = `PO-${line().reference.slice(4)}`;
      const parts = [0, 1, 2].map((i) => item(0, { name: `part ${i}`, amount: amount + i, group, reference: null }));
      const sum = 3 * amount + 3;
      const payout = { ...line(1, fate === 'paid_out' ? sum : sum - amount - 2), reference: group };
      return { lines: [payout], items: parts };
    }
    default:
      return fate satisfies never;
  }
}

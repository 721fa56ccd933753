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
    const wrong = amount + 7;
    const item = (later = 0, name = reference) =>
      anItem(name, amount, DAY + one.day + later, { reference, kind: one.kind === 'refund' ? 'refund' : 'payment' });
    const line = (later = 0, its = amount): Line => ({ reference, amount: its, day: DAY + one.day + later });
    return { ...one, reference, ...sidesOf(one.fate, line, item, wrong) };
  });
}

type MakeLine = (later?: number, amount?: number) => Line;
type MakeItem = (later?: number, name?: string) => LedgerItem;

function sidesOf(fate: Fate, line: MakeLine, item: MakeItem, wrong: number): Pick<Movement, 'lines' | 'items'> {
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
      return { lines: [line()], items: [item(), item(0, `${line().reference} again`)] };
    default:
      return fate satisfies never;
  }
}

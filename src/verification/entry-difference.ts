import { isSystemAccount, suspenseAccount } from '../ledger/crossing.ts';
import type { Command, Details, Entry, EntryPart, Leg, Posting, Span } from '../ledger/types.ts';
import { type BookOf, type PlannedEntry, plannedFor, planOf } from './command-plan.ts';
import type { Before } from './life-cycle.ts';
import { isOfLifeCycle, lifeCycleDifferenceOf } from './life-cycle-difference.ts';

/** What it is that differs, and both sides as text. */
export type Difference = readonly [what: string, expected: string, actual: string];

interface Judged {
  readonly command: Command;
  readonly entry: Entry;
  /** Where the entry stands. */
  readonly book: number;
  readonly bookOf: BookOf;
  /** What the entry was decided on. */
  readonly before: Before;
}

/** What of an entry is not as its command asked; null when all is. An entry that has no place in the plan is not judged. */
export function differenceOf(judged: Judged): Difference | null {
  const { command, entry } = judged;
  if (command.id !== entry.id) return ['id', command.id, entry.id];
  const kind = entry.kind === 'rejected' ? entry.rejection?.kind : entry.kind;
  if (command.kind !== kind) return ['kind', command.kind, String(kind)];
  const [asked, is] = [command.hold, entry.legs].map((held) => (held ? 'manual' : 'automatic'));
  if (asked !== is) return ['way of capture', asked!, is!];
  const whole = wholeLegsOf(entry);
  if (whole && !sameLegs(command.legs, whole)) return ['set of legs', legsText(command.legs), legsText(whole)];
  const difference = plannedDifferenceOf(judged);
  if (difference !== null) return difference;
  if (!sameDetails(command.details, entry.details)) {
    return ['reference, description or metadata', JSON.stringify(command.details), JSON.stringify(entry.details)];
  }
  return null;
}

/** The legs of the whole command as they happened or did not; null in a part of it. */
function wholeLegsOf({ kind, rejection, span, postings, settlement, legs }: Entry): readonly Leg[] | null {
  if (kind === 'rejected') return rejection?.legs ?? [];
  const moved = postings.filter(({ amount }) => amount !== 0n);
  // What a payment is to move once it is captured; until then nothing moves.
  if (legs) return moved.length === 0 ? legs : moved;
  if (span) return null;
  // What is only held or released was no leg.
  return settlement ? moved : postings;
}

/** What is as in a plan of the command; nearly all need none. */
function plannedDifferenceOf({ command, entry, book, bookOf, before }: Judged): Difference | null {
  const { span, settlement, changed, rejection } = entry;
  const isLifeCycle = settlement !== undefined || changed !== undefined || rejection?.follows !== undefined;
  if (!span && !isLifeCycle && !isOfLifeCycle(command)) return null;
  if (span?.legs && !sameLegs(command.legs, span.legs)) {
    return ['set of legs', legsText(command.legs), legsText(span.legs)];
  }
  const plan = planOf(command, bookOf);
  const planned = plan === null ? undefined : plannedFor(plan, { book, part: span?.part ?? null });
  // Where it belongs cannot be told of unknown accounts; what it says can be compared all the same.
  const isTelling = settlement !== undefined || changed !== undefined || rejection?.home === true;
  if (plan === null) return lifeCycleDifferenceOf(command, entry, { isDeciding: isTelling }, before);
  if (!planned) return null;
  const difference = span ? partDifferenceOf(command, entry, span, plan, planned) : null;
  return difference ?? lifeCycleDifferenceOf(command, entry, planned, before);
}

function partDifferenceOf(
  command: Command,
  { kind, postings }: Entry,
  { part, debits, credits, legs }: Span,
  plan: readonly PlannedEntry[],
  planned: PlannedEntry,
): Difference | null {
  const booksOf = (of: EntryPart) => plan.flatMap((one) => (one.part === of ? [one.book] : [])).join(', ');
  const expected = `debits ${booksOf('debit')}, credits ${booksOf('credit')}`;
  const actual = `debits ${debits.join(', ')}, credits ${credits.join(', ')}`;
  if (expected !== actual) return ['set of books', expected, actual];
  // The first debit describes the whole command.
  const isFirst = planned === plan[0];
  if (isFirst && !legs) return ['description of the whole', legsText(command.legs), 'none'];
  if (!isFirst && legs) return ['description of the whole', 'none', legsText(legs)];
  if (kind === 'rejected' || samePartLegs(planned, postings)) return null;
  return [`set of legs in its ${part}`, legsText(planned.legs), legsText(postings)];
}

/** In the order of the plan. What its account could not take stands on the suspense account, but not of a debit. */
function samePartLegs({ book, part, legs }: PlannedEntry, postings: readonly Posting[]): boolean {
  return (
    legs.length === postings.length &&
    legs.every(({ account, amount, currency }, i) => {
      const posting = postings[i]!;
      const maySuspend = part !== 'debit' && !isSystemAccount(account);
      const isPlace =
        posting.account === account || (maySuspend && posting.account === suspenseAccount(book, currency));
      return isPlace && posting.amount === amount && posting.currency === currency;
    })
  );
}

function sameLegs(a: readonly Leg[], b: readonly Leg[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) {
    const leg = a[i]!;
    // In the same order as a rule; each account has one leg at most, so any order can be compared.
    const other = b[i]!.account === leg.account ? b[i] : b.find(({ account }) => account === leg.account);
    if (other === undefined || other.amount !== leg.amount || other.currency !== leg.currency) return false;
  }
  return true;
}

function sameDetails(a: Details, b: Details): boolean {
  if ((a.reference ?? null) !== (b.reference ?? null)) return false;
  if ((a.description ?? null) !== (b.description ?? null)) return false;
  const metadata = b.metadata ?? {};
  const names = Object.keys(a.metadata ?? {});
  return names.length === Object.keys(metadata).length && names.every((name) => a.metadata![name] === metadata[name]);
}

function legsText(legs: readonly Leg[]): string {
  return legs.map(({ account, amount, currency }) => `${account} ${amount} ${currency}`).join(', ');
}

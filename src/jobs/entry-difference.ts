import { isSystemAccount, suspenseAccount } from '../ledger/crossing.ts';
import type { Command, Details, Entry, EntryPart, Leg, Posting, Span } from '../ledger/types.ts';
import { type BookOf, type PlannedEntry, plannedFor, planOf } from './command-plan.ts';

/** What it is that differs, and both sides as text. */
type Difference = readonly [what: string, expected: string, actual: string];

/** What of an entry is not as its command asked; null when all is. An entry that has no place in the plan is not judged. */
export function differenceOf(command: Command, entry: Entry, book: number, bookOf: BookOf): Difference | null {
  if (command.id !== entry.id) return ['id', command.id, entry.id];
  const kind = entry.kind === 'rejected' ? entry.rejection?.kind : entry.kind;
  if (command.kind !== kind) return ['kind', command.kind, String(kind)];
  const whole = wholeLegsOf(entry);
  if (whole && !sameLegs(command.legs, whole)) return ['set of legs', legsText(command.legs), legsText(whole)];
  if (entry.span) {
    const difference = partDifferenceOf(command, entry, entry.span, { book, bookOf });
    if (difference !== null) return difference;
  }
  if (!sameDetails(command.details, entry.details)) {
    return ['reference, description or metadata', JSON.stringify(command.details), JSON.stringify(entry.details)];
  }
  return null;
}

/** The legs of the whole command as they happened or did not; null in a part of it. */
function wholeLegsOf({ kind, rejection, span, postings }: Entry): readonly Leg[] | null {
  if (kind === 'rejected') return rejection?.legs ?? [];
  return span ? null : postings;
}

function partDifferenceOf(
  command: Command,
  { kind, postings }: Entry,
  { part, debits, credits, legs }: Span,
  { book, bookOf }: { book: number; bookOf: BookOf },
): Difference | null {
  if (legs && !sameLegs(command.legs, legs)) return ['set of legs', legsText(command.legs), legsText(legs)];
  const plan = planOf(command, bookOf);
  const planned = plan && plannedFor(plan, { book, part });
  if (!planned) return null;
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

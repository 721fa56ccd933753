import { type Entry, REJECTION_REASONS } from '../ledger/types.ts';
import type { BreakFound } from './breaks.ts';
import { mayPostNothing, namesAccountTwice, withoutSuspense } from './entry-shape.ts';

const KNOWN_REASONS: ReadonlySet<string> = new Set(REJECTION_REASONS);

/**
 * Reports how an entry of a book cannot be, whatever the balances. `heldOn`: the account on which it holds more, or less;
 * undefined: none.
 */
export function reportShape(
  book: number,
  entry: Entry,
  heldOn: string | undefined,
  report: (found: BreakFound) => void,
): void {
  const malformed = (why: string) =>
    report({ kind: 'malformed_entry', entry: entry.id, message: `entry ${entry.id} cannot be: ${why}` });
  if (entry.kind === 'rejected') reportRejection(entry, malformed, report);
  else reportPosted(book, entry, heldOn, malformed);
}

function reportPosted(book: number, entry: Entry, heldOn: string | undefined, malformed: (why: string) => void): void {
  const { rejection, postings, kind, changed } = entry;
  if (rejection !== undefined) malformed('it is posted and rejected at once');
  if (postings.length === 0 && !mayPostNothing(entry)) malformed('it is posted but has no postings');
  if ((kind === 'account_change') !== (changed !== undefined) || (changed && postings.length > 0)) {
    malformed('an account is changed by a change alone, and by each');
  }
  if (namesAccountTwice(postings) && namesAccountTwice(withoutSuspense(book, entry))) {
    malformed('it has two postings of one account');
  }
  for (const { amount, account } of postings) {
    if (amount === 0n && account !== heldOn) malformed(`the amount of its posting on ${account} is zero`);
  }
}

function reportRejection(entry: Entry, malformed: (why: string) => void, report: (found: BreakFound) => void): void {
  const { rejection, postings, settlement, changed } = entry;
  if (postings.length > 0) malformed('it is rejected but has postings');
  if (settlement || changed) malformed('it is rejected but settles or changes');
  const part = entry.span?.part ?? 'debit';
  if (part !== 'debit') malformed(`it is rejected, and a ${part} cannot be`);
  if (rejection === undefined) malformed('it is rejected without a reason');
  if (rejection === undefined || KNOWN_REASONS.has(rejection.reason)) return;
  const message = `entry ${entry.id} was rejected for a reason that does not exist: ${rejection.reason}`;
  const expected = REJECTION_REASONS.join(', ');
  report({ kind: 'unknown_rejection_reason', entry: entry.id, expected, actual: rejection.reason, message });
}

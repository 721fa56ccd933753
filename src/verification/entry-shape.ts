import { suspenseAccount } from '../ledger/crossing.ts';
import type { Entry, Posting } from '../ledger/types.ts';

/** Up to this many postings, comparing all pairs is cheaper than a set. */
const PAIRWISE_MAX = 8;

/** A change of an account, or what a book decides of a refund whose money comes from others. */
export function mayPostNothing({ kind, span, settlement }: Entry): boolean {
  if (kind === 'account_change') return true;
  const isReturn = kind === 'refund' || kind === 'reversal';
  return isReturn && settlement !== undefined && span !== undefined && span.part !== 'credit';
}

/** The currencies that do not sum to zero, with their sums. */
export function unbalanced(postings: readonly Posting[]): Iterable<[string, bigint]> {
  const { currency } = postings[0]!;
  let sum = 0n;
  for (const posting of postings) {
    if (posting.currency !== currency) return unbalancedOfSeveral(postings);
    sum += posting.amount;
  }
  return sum === 0n ? [] : [[currency, sum]];
}

function unbalancedOfSeveral(postings: readonly Posting[]): [string, bigint][] {
  const sums = new Map<string, bigint>();
  for (const { currency, amount } of postings) sums.set(currency, (sums.get(currency) ?? 0n) + amount);
  return [...sums].filter(([, sum]) => sum !== 0n);
}

export function namesAccountTwice(postings: readonly Posting[]): boolean {
  if (postings.length > PAIRWISE_MAX) return new Set(postings.map(({ account }) => account)).size !== postings.length;
  for (let i = 1; i < postings.length; i++) {
    for (let j = 0; j < i; j++) if (postings[i]!.account === postings[j]!.account) return true;
  }
  return false;
}

/** In a part that cannot be rejected, any number of legs may stand on a suspense account. */
export function withoutSuspense(book: number, { span, postings }: Entry): readonly Posting[] {
  if (span === undefined || span.part === 'debit') return postings;
  return postings.filter(({ account, currency }) => account !== suspenseAccount(book, currency));
}

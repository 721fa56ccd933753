import type { Entry, Leg, Settlement } from '../ledger/types.ts';
import type { Amounts } from './settlement-table.ts';

/** How it was settled before: null: nothing stands of it in the journal. Undefined: that is not known. */
export type AmountsBefore = Amounts | null | undefined;

/**
 * Why an entry cannot settle what it says it does, as far as the journal alone tells; null: it can. `at` is the time of
 * its block.
 */
export function wrongStepOf(entry: Entry, before: AmountsBefore, at: number): string | null {
  const after = entry.settlement!;
  if (after.held < 0n || after.refunded < 0n || after.captured < 0n) return 'less than nothing is held or paid';
  if (after.refunded > after.captured) return 'more is refunded than was captured';
  if (after.held > 0n && after.account === undefined) return 'something is held, and on no account';
  if (entry.span?.part === 'credit') return 'a credit settles nothing';
  if ((entry.kind === 'payment') !== (after.id === entry.id)) return `a ${entry.kind} is not what it settles`;
  switch (entry.kind) {
    case 'payment':
      return wrongHold(entry, after, before);
    case 'capture':
      return wrongCapture(entry, after, before, at);
    case 'cancel':
      return wrongRelease(after, before);
    case 'expiry':
      return isOver(after, at) ? wrongRelease(after, before) : 'its time has not come';
    case 'refund':
    case 'reversal':
      return wrongReturn(entry, after, before);
    case 'transaction':
    case 'account_change':
    case 'rejected':
      return `a ${entry.kind} settles nothing`;
    default:
      return entry.kind satisfies never;
  }
}

function wrongHold({ postings }: Entry, after: Settlement, before: AmountsBefore): string | null {
  if (before) return 'it was held before';
  if (after.held === 0n || after.captured > 0n || after.refunded > 0n) return 'a payment that waits only holds';
  return postings.some(({ amount }) => amount !== 0n) ? 'a payment that waits moves nothing' : null;
}

function wrongCapture({ postings }: Entry, after: Settlement, before: AmountsBefore, at: number): string | null {
  if (isOver(after, at)) return 'it is captured after its time';
  if (before === undefined) return null;
  if (before === null) return 'no payment stands that holds anything';
  const captured = after.captured - before.captured;
  if (captured <= 0n) return 'nothing is captured';
  if (captured > before.held) return 'more is captured than was held';
  if (after.held !== before.held - captured && after.held !== 0n) return 'what is captured is not what is released';
  if (after.refunded !== before.refunded) return 'a capture refunds nothing';
  const taken = postings.find(({ account }) => account === after.account)?.amount ?? 0n;
  return taken === -captured ? null : 'what is captured is not what is taken from the account';
}

function wrongRelease(after: Settlement, before: AmountsBefore): string | null {
  if (after.held !== 0n) return 'not all is released';
  if (before === undefined) return null;
  if (before === null) return 'no payment stands that holds anything';
  if (before.held === 0n) return 'nothing was held';
  return isAlike(after, before, ['captured', 'refunded']) ? null : 'a release pays nothing';
}

/** Of a refund or a reversal, and of what takes it back because another book rejected it. */
function wrongReturn(entry: Entry, after: Settlement, before: AmountsBefore): string | null {
  const isTakenBack = entry.span?.part === 'reversal';
  if (before === undefined) return null;
  if (before === null && isTakenBack) return 'it takes back what does not stand';
  // The journal does not tell what was captured at the end of the command itself: that is asked of its claim.
  const from = before ?? { held: 0n, captured: after.captured, refunded: 0n };
  if (!isAlike(after, from, ['held', 'captured'])) return `a ${entry.kind} captures and releases nothing`;
  const more = isTakenBack ? from.refunded - after.refunded : after.refunded - from.refunded;
  if (more <= 0n) return 'nothing is given back, or taken back';
  if (entry.kind === 'reversal') return after.captured === 1n && more === 1n ? null : 'it is not reversed as a whole';
  const legs = entry.span ? entry.span.legs : entry.postings;
  // Only one of its entries tells what the others do, and that need not be this one.
  if (!legs) return null;
  if (sumGiven(legs) !== more) return 'what is refunded is not what is paid back';
  const { account: source } = after;
  const isToSource = source === undefined || legs.some(({ account, amount }) => account === source && amount === more);
  return isToSource ? null : `it does not go back to account ${source}`;
}

function sumGiven(legs: readonly Leg[]): bigint {
  return legs.reduce((sum, { amount }) => (amount > 0n ? sum + amount : sum), 0n);
}

function isAlike(a: Amounts, b: Amounts, fields: readonly (keyof Amounts)[]): boolean {
  return fields.every((field) => a[field] === b[field]);
}

function isOver({ expiresAt }: Settlement, at: number): boolean {
  return expiresAt !== undefined && at >= expiresAt;
}

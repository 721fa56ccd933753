import { isSuspenseAccount } from './crossing.ts';
import type { Entry, Placed, Posting } from './types.ts';

/**
 * Puts together what a command has become from its entries in all books. Null: it is not at its end yet. The whole
 * stands where its first debit stands; its postings are in the order of the command's legs.
 */
export function assembled(parts: readonly Placed[]): Placed | null {
  const [only] = parts;
  if (!only?.entry.span) return only ?? null;
  const { debits, credits } = only.entry.span;
  const given = debits.map((book) => find(parts, book, 'debit'));
  if (!given.every((placed) => placed !== undefined)) return null;
  const rejected = reasonAmong(given);
  const following = rejected
    ? given.filter(({ entry }) => !entry.rejection).map(({ book }) => find(parts, book, 'reversal'))
    : credits.map((book) => find(parts, book, 'credit'));
  if (!following.every((placed) => placed !== undefined)) return null;
  const primary = given[0]!;
  return { ...primary, entry: whole(primary.entry, rejected?.entry, [...given, ...following]) };
}

/** Of the debits that were rejected the one whose reason counts: that of the home book, whatever its number. */
function reasonAmong(given: readonly Placed[]): Placed | undefined {
  const atHome = given.find(({ entry }) => entry.rejection?.home);
  return atHome ?? given.find(({ entry }) => entry.rejection);
}

/** Entries by the command that they are of. */
export function partsById(found: readonly Placed[]): Map<string, Placed[]> {
  const byId = new Map<string, Placed[]>();
  for (const placed of found) {
    const parts = byId.get(placed.entry.id);
    if (parts) parts.push(placed);
    else byId.set(placed.entry.id, [placed]);
  }
  return byId;
}

/** The entry that describes the whole command, if it is among these. */
export function primaryOf(parts: readonly Placed[]): Placed | undefined {
  return parts.find(({ entry }) => isPrimary(entry));
}

/** Is it the one entry of its command that describes all of it? */
export function isPrimary({ span }: Entry): boolean {
  return span === undefined || span.legs !== undefined;
}

function find(parts: readonly Placed[], book: number, part: string): Placed | undefined {
  return parts.find((placed) => placed.book === book && placed.entry.span?.part === part);
}

function whole({ id, key, kind, span, details }: Entry, rejected: Entry | undefined, parts: readonly Placed[]): Entry {
  if (rejected) return { id, key, kind: 'rejected', postings: [], rejection: rejected.rejection!, details };
  const postings: Posting[] = [];
  const left = parts.flatMap(({ entry }) => entry.postings);
  for (const leg of span!.legs!) {
    const isIts = (posting: Posting) => posting.amount === leg.amount && posting.currency === leg.currency;
    const own = left.findIndex((posting) => posting.account === leg.account);
    // What its account could not take stands on the suspense account of its book.
    const at = own >= 0 ? own : left.findIndex((posting) => isSuspenseAccount(posting.account) && isIts(posting));
    if (at >= 0) postings.push(...left.splice(at, 1));
  }
  const settlement = parts.find((placed) => placed.entry.settlement)?.entry.settlement;
  return { id, key, kind, postings, ...(settlement ? { settlement } : {}), details };
}

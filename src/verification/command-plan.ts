import { type PartPlan, planCrossing, reversalOf } from '../ledger/crossing.ts';
import type { Command, EntryPart, Leg } from '../ledger/types.ts';
import type { EntryPlace } from './ports.ts';

const NONE: readonly never[] = [];

/** An entry that a command may lead to. `part` null: the whole command, within one book. */
export interface PlannedEntry {
  readonly book: number;
  readonly part: EntryPart | null;
  readonly legs: readonly Leg[];
  /** Does it say how something is settled, or how an account is? */
  readonly isDeciding: boolean;
}

/** The book of an account; null: there is no such account. */
export type BookOf = (account: string) => number | null;

/** Every entry that a command may lead to, debits first, ascending by book; null when an account does not exist. */
export function planOf({ legs, hold, follows, change }: Command, bookOf: BookOf): readonly PlannedEntry[] | null {
  if (change) return whole(bookOf(change.account), NONE, true);
  const books: number[] = [];
  for (const { account } of legs) {
    const book = bookOf(account);
    if (book === null) return null;
    books.push(book);
  }
  // Nothing moves yet: what the source would give is held in its book.
  if (hold) return whole(books[legs.findIndex(({ amount }) => amount < 0n)] ?? null, NONE, true);
  const home = follows?.book ?? books[0] ?? null;
  if (books.every((book) => book === home)) return whole(home, legs, follows !== undefined);
  const { debits, credits } = planCrossing(legs, (leg) => books[leg]!, follows?.book);
  const planned = (plan: PartPlan) => ({ ...plan, isDeciding: plan.part !== 'credit' && plan.book === follows?.book });
  return [...debits, ...credits, ...debits.map(reversalOf)].map(planned);
}

function whole(book: number | null, legs: readonly Leg[], isDeciding: boolean): readonly PlannedEntry[] | null {
  return book === null ? null : [{ book, part: null, legs, isDeciding }];
}

export function plannedFor<T extends Pick<PlannedEntry, 'book' | 'part'>>(
  all: readonly T[],
  { book, part }: Pick<PlannedEntry, 'book' | 'part'>,
): T | undefined {
  return all.find((one) => one.book === book && one.part === part);
}

/** What of a plan must stand and does not, and what stands and must not, as far as what stands tells. */
export function judge(
  plan: readonly PlannedEntry[],
  standing: readonly EntryPlace[],
): { missing: readonly PlannedEntry[]; wrong: readonly EntryPlace[] } {
  const debits = plan.filter(({ part }) => part === 'debit').map((debit) => plannedFor(standing, debit));
  const isRejected = debits.some((debit) => debit?.rejected);
  const isDecided = isRejected || debits.every((debit) => debit !== undefined);
  /** Null: nothing can be said, since a debit that decides it is not there. */
  const isDue = ({ book, part }: PlannedEntry): boolean | null => {
    if (part === null || part === 'debit') return true;
    if (!isDecided) return null;
    if (part === 'credit') return !isRejected;
    const debit = debits.find((one) => one?.book === book);
    if (debit === undefined) return null;
    return isRejected && !debit.rejected;
  };
  const missing = plan.filter((planned) => isDue(planned) === true && plannedFor(standing, planned) === undefined);
  const wrong = standing.filter((place) => {
    const planned = plannedFor(plan, place);
    return planned === undefined || isDue(planned) === false;
  });
  return { missing, wrong };
}

/** What the books have to do for a command over several of them, by rules that only hold where no pairing is needed. */
import type { Leg } from '../../src/ledger/types.ts';

export interface ModelPart {
  readonly book: number;
  readonly legs: readonly Leg[];
}

export interface ModelParts {
  readonly debits: readonly ModelPart[];
  readonly credits: readonly ModelPart[];
}

export function isOfUsers(account: string): boolean {
  return !/^(transit|suspense):/.test(account);
}

export function isCrossing(books: readonly number[]): boolean {
  return new Set(books).size > 1;
}

/**
 * `books` has the book of each leg; `home` is a book that decides it, even if it gives nothing. Of one currency, and
 * either one book gives or one gets.
 */
export function partsOf(legs: readonly Leg[], books: readonly number[], home?: number): ModelParts {
  const currency = legs[0]!.currency;
  const senders = books.filter((_, i) => legs[i]!.amount < 0n);
  const giving = ascending(home === undefined ? senders : [...senders, home]);
  const of = (book: number, isIn: (leg: Leg) => boolean) => legs.filter((leg, i) => books[i] === book && isIn(leg));
  const withDebits = ({ amount }: Leg, book: number) => amount < 0n || (giving.length === 1 && book === giving[0]);
  const getting = ascending(books.filter((book, i) => !withDebits(legs[i]!, book)));
  const isFromMany = new Set(senders).size > 1;
  if (isFromMany && getting.length > 1) throw new Error('the model cannot pair several books with several');
  const given = giving.map((book) => ({ book, legs: of(book, (leg) => withDebits(leg, book)) }));
  const got = getting.map((book) => ({ book, legs: of(book, (leg) => !withDebits(leg, book)) }));
  const flows = given
    .filter(({ book }) => senders.includes(book))
    .flatMap((from) =>
      got.map((to) => ({ from: from.book, to: to.book, amount: isFromMany ? -sum(from.legs) : sum(to.legs) })),
    );
  const leg = (book: number, other: number, amount: bigint): Leg => {
    return { account: `transit:${book}:${other}:${currency}`, amount, currency };
  };
  return {
    debits: given.map(({ book, legs: own }) => {
      const out = flows.filter(({ from }) => from === book).map(({ to, amount }) => leg(book, to, amount));
      return { book, legs: [...own, ...out] };
    }),
    credits: got.map(({ book, legs: own }) => {
      const into = flows.filter(({ to }) => to === book).map(({ from, amount }) => leg(book, from, -amount));
      return { book, legs: [...own, ...into] };
    }),
  };
}

function ascending(books: readonly number[]): number[] {
  return [...new Set(books)].sort((a, b) => a - b);
}

function sum(legs: readonly Leg[]): bigint {
  return legs.reduce((all, { amount }) => all + amount, 0n);
}

import type { EntryPart, Leg } from './types.ts';

/** What one book has to do for a command: the legs that are appended there together. */
export interface PartPlan {
  readonly part: EntryPart;
  readonly book: number;
  /** They sum to zero per currency: what leaves the book stands on its transit accounts. */
  readonly legs: readonly Leg[];
}

/** A command whose accounts are in several books, as what each book has to do. The same for everybody who plans it. */
export interface Crossing {
  /** Ascending by book. All of them must stand before anything is credited. */
  readonly debits: readonly PartPlan[];
  /** Ascending by book. They cannot fail. */
  readonly credits: readonly PartPlan[];
}

const TRANSIT = 'transit:';
const SUSPENSE = 'suspense:';
/** How the ids of the ledger's own accounts begin. */
export const SYSTEM_PREFIXES = [TRANSIT, SUSPENSE] as const;

/** Holds in `book` what is on its way to (positive) or from (negative) the other book. */
function transitAccount(book: number, other: number, currency: string): string {
  return `${TRANSIT}${book}:${other}:${currency}`;
}

/** Holds what could not be credited to the account it was meant for. */
export function suspenseAccount(book: number, currency: string): string {
  return `${SUSPENSE}${book}:${currency}`;
}

/** Accounts of the ledger itself. Users can neither open nor name them. */
export function isSystemAccount(id: string): boolean {
  return id.startsWith(TRANSIT) || isSuspenseAccount(id);
}

export function isSuspenseAccount(id: string): boolean {
  return id.startsWith(SUSPENSE);
}

/**
 * Plans a command over several books. `bookOf` tells the book of each leg's account. `decidedIn`: this book can reject
 * it whether it gives or not, because it knows how the command is settled that this one follows.
 */
export function planCrossing(legs: readonly Leg[], bookOf: (leg: number) => number, decidedIn?: number): Crossing {
  const giving = new Set<number>(decidedIn === undefined ? [] : [decidedIn]);
  for (let i = 0; i < legs.length; i++) if (legs[i]!.amount < 0n) giving.add(bookOf(i));
  // With one giving book its own credits are decided with its debits: nothing can be refused after them.
  const sole = giving.size === 1;
  const debits = new Map<number, Leg[]>(decidedIn === undefined ? [] : [[decidedIn, []]]);
  const credits = new Map<number, Leg[]>();
  const outgoing: Flow[] = [];
  const incoming: Flow[] = [];
  for (let i = 0; i < legs.length; i++) {
    const leg = legs[i]!;
    const book = bookOf(i);
    const withDebits = leg.amount < 0n || (sole && giving.has(book));
    push(withDebits ? debits : credits, book, leg);
    (withDebits ? outgoing : incoming).push({ book, currency: leg.currency, amount: leg.amount });
  }
  for (const { from, to, currency, amount } of flowsBetween(netted(outgoing), netted(incoming))) {
    push(debits, from, { account: transitAccount(from, to, currency), amount, currency });
    push(credits, to, { account: transitAccount(to, from, currency), amount: -amount, currency });
  }
  return { debits: plans('debit', debits), credits: plans('credit', credits) };
}

/** What takes a debit back. */
export function reversalOf({ book, legs }: PartPlan): PartPlan {
  return { part: 'reversal', book, legs: legs.map((leg) => ({ ...leg, amount: -leg.amount })) };
}

interface Flow {
  readonly book: number;
  readonly currency: string;
  amount: bigint;
}

/** One sum for each book and currency, ascending by both, so that everybody plans the same. */
function netted(flows: readonly Flow[]): Flow[] {
  const sums = new Map<string, Flow>();
  for (const { book, currency, amount } of flows) {
    const key = `${currency}/${book}`;
    const sum = sums.get(key);
    if (sum) sum.amount += amount;
    else sums.set(key, { book, currency, amount });
  }
  return [...sums.values()]
    .filter(({ amount }) => amount !== 0n)
    .sort((a, b) => (a.currency === b.currency ? a.book - b.book : a.currency < b.currency ? -1 : 1));
}

interface Move {
  readonly from: number;
  readonly to: number;
  readonly currency: string;
  readonly amount: bigint;
}

/** Pairs what books give (negative) with what books get, currency by currency. The sums are equal: commands balance. */
function* flowsBetween(giving: Flow[], getting: Flow[]): Generator<Move> {
  for (const give of giving) {
    let left = -give.amount;
    for (const get of getting) {
      if (left === 0n) break;
      if (get.currency !== give.currency || get.amount === 0n) continue;
      // biome-ignore lint/complexity/useMathMinMax: Math.min takes no bigint
      const amount = left < get.amount ? left : get.amount;
      left -= amount;
      get.amount -= amount;
      yield { from: give.book, to: get.book, currency: give.currency, amount };
    }
  }
}

function push(books: Map<number, Leg[]>, book: number, leg: Leg): void {
  const legs = books.get(book);
  if (legs) legs.push(leg);
  else books.set(book, [leg]);
}

function plans(part: EntryPart, books: ReadonlyMap<number, readonly Leg[]>): PartPlan[] {
  return [...books].sort(([a], [b]) => a - b).map(([book, legs]) => ({ part, book, legs }));
}

import type { Entry, Posting } from '../ledger/types.ts';
import type { BreakList } from './breaks.ts';

const TRANSIT = /^transit:(\d+):(\d+):(.+)$/;

/** Two transit accounts that mirror each other: what one book has on its way to another, and the other from it. */
interface Mirror {
  readonly account: string;
  readonly book: number;
  readonly other: number;
  readonly currency: string;
  /** What was posted to both, less what the commands account for; zero in the end. */
  rest: bigint;
}

/** The latest posting of a suspense account. */
interface Suspended {
  readonly book: number;
  readonly height: number;
  readonly entry: string;
  readonly posting: Posting;
}

/**
 * The accounts of the ledger itself. Transit accounts of two books mirror each other, but for commands of which only
 * some entries stand within what was replayed. Suspense accounts are to be empty.
 *
 * It adds up the amounts that were replayed, not the balances: a block that is missing is missing in both sums then,
 * and not reported a second time.
 */
export class SystemAccounts {
  readonly #mirrors = new Map<string, Mirror>();
  readonly #suspended = new Map<string, Suspended>();

  /** Takes in a posting of the journal to a system account. */
  take(book: number, height: number, entry: Entry, posting: Posting): void {
    const mirror = this.#mirrorOf(posting.account);
    if (mirror) mirror.rest += posting.amount;
    else this.#suspended.set(posting.account, { book, height, entry: entry.id, posting });
  }

  /** A command has an entry within what was replayed that puts this amount on an account of its book. */
  explain(account: string, amount: bigint): void {
    const mirror = this.#mirrorOf(account);
    if (mirror) mirror.rest -= amount;
  }

  /** Everything was taken in and explained: reports what is left. */
  finish(breaks: BreakList): void {
    for (const [id, { account, book, other, currency, rest }] of this.#mirrors) {
      if (rest === 0n || id !== account) continue;
      const message =
        `what book ${book} has on its way to and from book ${other} does not mirror what book ${other} has: ` +
        `they differ by ${rest} ${currency} that no command explains`;
      const [expected, actual] = [`0 ${currency}`, `${rest} ${currency}`];
      breaks.add({ kind: 'transit_mismatch', book, account, expected, actual, message });
    }
    for (const [account, { book, height, entry, posting }] of this.#suspended) {
      const { posted, currency } = posting;
      if (posted === 0n) continue;
      const message =
        `${posted} ${currency} of book ${book} could not be put on the accounts they were meant for; ` +
        `entry ${entry} was the last that left some on ${account}`;
      const [expected, actual] = [`0 ${currency}`, `${posted} ${currency}`];
      breaks.add({ kind: 'in_suspense', book, height, entry, account, expected, actual, message });
    }
  }

  #mirrorOf(account: string): Mirror | null {
    const known = this.#mirrors.get(account);
    if (known) return known;
    const [, one, another, currency] = TRANSIT.exec(account) ?? [];
    if (one === undefined || another === undefined || currency === undefined) return null;
    // Told of that of the lower book, whichever was met first.
    const [book, other] = [Number(one), Number(another)].sort((a, b) => a - b) as [number, number];
    const [own, mirrored] = [`transit:${book}:${other}:${currency}`, `transit:${other}:${book}:${currency}`];
    const mirror = { account: own, book, other, currency, rest: 0n };
    this.#mirrors.set(own, mirror);
    // What money that stays in its book passes through mirrors itself.
    this.#mirrors.set(mirrored, mirror);
    return mirror;
  }
}

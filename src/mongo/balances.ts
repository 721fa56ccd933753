import type { Collection, Db, FindOptions } from 'mongodb';
import type { Balance } from '../ledger/types.ts';
import type { BalanceQueries, KnownBalance } from '../payments/ports.ts';
import { ACCOUNTS, type AccountDocument, beginningWith } from './accounts.ts';
import { type LastBalance, lastBalances } from './balance-snapshots.ts';
import { type BlockDocument, toNumber } from './block-codec.ts';
import { Checkpoints } from './checkpoints.ts';
import { readSession } from './client.ts';
import { HEIGHT_MAX, JOURNAL, MongoJournal } from './journal.ts';
import { atOneMoment, type OneMoment } from './one-moment.ts';

/** Looked up in the index in one command. */
const SEEKS_AT_ONCE = 1_000;
/** So many postings are gone through in the time in which one account is looked up in the index. */
const POSTINGS_PER_SEEK = 200;

type Known = Pick<AccountDocument, '_id' | 'book' | 'currency' | 'balance'>;
const NEVER: Balance = { posted: 0n, held: 0n, height: 0, at: 0 };

/**
 * Balances of many accounts, in few commands: those kept with the accounts, and in place of those that are behind the last
 * ones of the blocks that they lack. So it costs a look at each account and at the last few seconds of the journal, or,
 * where these are more, a seek for each account.
 */
export class MongoBalances implements BalanceQueries {
  readonly #journal: MongoJournal;
  readonly #accounts: Collection<AccountDocument>;

  constructor(
    readonly db: Db,
    readonly postingsPerSeek: number = POSTINGS_PER_SEEK,
  ) {
    this.#journal = new MongoJournal(db);
    this.#accounts = db.collection(ACCOUNTS);
  }

  async balancesOf(ids: readonly string[], at?: Date): Promise<Map<string, KnownBalance>> {
    const which = { $in: [...new Set(ids)] };
    const found = at
      ? await this.#balancesBy(which, at)
      : await atOneMoment(this.db, async (moment) => {
          return this.#balances(await this.#find(which, which.$in.length, moment), which, moment);
        });
    return new Map(found.map((balance) => [balance.account, balance]));
  }

  balancesBelow(prefix: string, limit: number): Promise<KnownBalance[] | null> {
    return atOneMoment(this.db, async (moment) => {
      const which = beginningWith(prefix);
      const accounts = await this.#find(which, limit + 1, moment);
      return accounts.length > limit ? null : this.#balances(accounts, which, moment);
    });
  }

  #find(which: object, limit: number, options: FindOptions): Promise<Known[]> {
    const projection = { book: 1, currency: 1, balance: 1 };
    return this.#accounts.find<Known>({ _id: which }, { ...options, projection, limit }).toArray();
  }

  /** `which` is the condition that the accounts were found by. */
  async #balances(accounts: readonly Known[], which: object, moment: OneMoment): Promise<KnownBalance[]> {
    const books = byBook(accounts);
    const taken = await new Checkpoints(this.db, 'balances').reliableHeights([...books.keys()], moment);
    const late = await Promise.all(
      [...books].map(async ([book, its]) => {
        const above = taken.get(book) ?? 0;
        const postings = await this.#latePostings(book, above, moment);
        if (postings === null) return [];
        const isFarBehind = postings > its.length * this.postingsPerSeek;
        return [...(isFarBehind ? await this.#seek(its, moment) : await this.#late(book, above, which, moment))];
      }),
    );
    const latest = new Map(late.flat());
    return accounts.map((account) => known(account, latest.get(account._id) ?? kept(account)));
  }

  /** What is past does not change: it needs no one moment. */
  async #balancesBy(which: { $in: string[] }, at: Date): Promise<KnownBalance[]> {
    const accounts = await this.#find(which, which.$in.length, { session: readSession(this.db.client) });
    const found = await Promise.all(
      [...byBook(accounts)].map(async ([book, its]) => {
        const upTo = await this.#journal.heightAt(book, at.getTime());
        return [...(await this.#journal.balances(idsOf(its), { upTo }))];
      }),
    );
    const balances = new Map(found.flat());
    return accounts.map((account) => known(account, balances.get(account._id)));
  }

  async #seek(accounts: readonly Known[], moment: OneMoment): Promise<Map<string, Balance>> {
    const found = new Map<string, Balance>();
    for (let i = 0; i < accounts.length; i += SEEKS_AT_ONCE) {
      const some = idsOf(accounts.slice(i, i + SEEKS_AT_ONCE));
      for (const [id, balance] of await this.#journal.balances(some, { moment })) found.set(id, balance);
    }
    return found;
  }

  /** How many there are above a height, those of the last block left out; null: there is no block. */
  async #latePostings(book: number, above: number, moment: OneMoment): Promise<number | null> {
    const range = { $gt: { book, height: BigInt(above) }, $lte: { book, height: HEIGHT_MAX } };
    const end = (order: 1 | -1) => {
      const options = { ...moment, sort: { _id: order }, projection: { postingsBelow: 1 } };
      return this.db.collection<BlockDocument>(JOURNAL).findOne({ _id: range }, options);
    };
    const [first, last] = await Promise.all([end(1), end(-1)]);
    return first && last && toNumber(last.postingsBelow) - toNumber(first.postingsBelow);
  }

  async #late(book: number, above: number, which: object, moment: OneMoment): Promise<Map<string, Balance>> {
    const stages = lastBalances(book, above, Number.MAX_SAFE_INTEGER, which);
    const late = await this.db
      .collection(JOURNAL)
      .aggregate<LastBalance>(stages, { ...moment, allowDiskUse: true })
      .toArray();
    return new Map(
      late.map(({ _id, posted, held, height }) => [_id, { posted, held, height: toNumber(height), at: 0 }]),
    );
  }
}

function idsOf(accounts: readonly Known[]): string[] {
  return accounts.map(({ _id }) => _id);
}

function byBook(accounts: readonly Known[]): Map<number, Known[]> {
  const books = new Map<number, Known[]>();
  for (const account of accounts) {
    const its = books.get(account.book);
    if (its) its.push(account);
    else books.set(account.book, [account]);
  }
  return books;
}

function kept({ balance }: Known): Balance {
  return balance ? { ...balance, height: toNumber(balance.height), at: 0 } : NEVER;
}

function known({ _id, currency }: Known, balance: Balance = NEVER): KnownBalance {
  return { account: _id, currency, ...balance };
}

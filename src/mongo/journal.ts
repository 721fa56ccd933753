import type { ClientSession, Collection, Db, FindOptions } from 'mongodb';
import { accountHash } from '../ledger/account-hash.ts';
import type { AppendResult, EncodedBlock, JournalPort } from '../ledger/ports.ts';
import type { AccountState, AccountTip, Balance, Block, Placed, Settlement, StoredBlock } from '../ledger/types.ts';
import { ACCOUNTS, type AccountDocument } from './accounts.ts';
import {
  accountSubject,
  type BlockDocument,
  decodeBlock,
  decodeEntry,
  type EntryDocument,
  encodeBlock,
  toNumber,
} from './block-codec.ts';
import { readSession, WRITE_TIMEOUT_MS } from './client.ts';
import type { OneMoment } from './one-moment.ts';
import { insertRaw } from './raw-insert.ts';

export const JOURNAL = 'journal';

/** When balances are read: at a moment of the whole database, at or below a height. Otherwise those of now. */
export interface AsOf {
  readonly upTo?: number;
  readonly moment?: OneMoment;
}

export const HEIGHT_MAX = 2n ** 63n - 1n;
export const NEVER_POSTED_TO: Balance = { posted: 0n, held: 0n, height: 0, at: 0 };
const ACCOUNT = accountSubject('');

/** The journal collection. Blocks are only ever inserted. */
export class MongoJournal implements JournalPort {
  readonly #blocks: Collection<BlockDocument>;
  constructor(readonly db: Db) {
    this.#blocks = db.collection(JOURNAL);
  }

  /** Of every read below. */
  get #session(): ClientSession {
    return readSession(this.db.client);
  }

  encode(block: Block): EncodedBlock {
    return encodeBlock(block);
  }

  async append(blocks: readonly EncodedBlock[]): Promise<AppendResult> {
    const result = await insertRaw(
      this.db,
      JOURNAL,
      blocks.map(({ bytes }) => bytes),
      WRITE_TIMEOUT_MS,
    );
    const { landed, cause, durableAt } = result;
    if (durableAt) this.#session.advanceOperationTime(durableAt);
    return { landed, ended: result.ended === 'duplicate' ? 'taken' : result.ended, cause };
  }

  async tip(book: number): Promise<StoredBlock | null> {
    const document = await this.#blocks.findOne({ _id: blocksOf(book) }, { sort: { _id: -1 }, session: this.#session });
    return document && decodeBlock(document);
  }

  /** The era of the highest block of a book. Those of blocks to come are not below it. */
  async era(book: number): Promise<number> {
    const options = { sort: { _id: -1 }, projection: { era: 1 }, session: this.#session } as const;
    return (await this.#blocks.findOne({ _id: blocksOf(book) }, options))?.era ?? 0;
  }

  async read(book: number, fromHeight: number, limit: number): Promise<StoredBlock[]> {
    const session = this.#session;
    const documents = await this.#blocks
      .find({ _id: blocksOf(book, fromHeight) }, { session })
      .sort({ _id: 1 })
      .limit(limit)
      .toArray();
    return documents.map(decodeBlock);
  }

  async findEntries(ids: readonly string[]): Promise<Placed[]> {
    if (ids.length === 0) return [];
    const rows = await this.#blocks
      .aggregate<EntryRow>(
        [
          { $match: { 'entries.id': { $in: ids } } },
          { $project: { at: 1, entries: { $filter: { input: '$entries', cond: { $in: ['$$this.id', ids] } } } } },
        ],
        { session: this.#session },
      )
      .toArray();
    return rows.flatMap(placedIn);
  }

  /** Seeks into the index, era by era from the latest back, for each account, all in one command. */
  async balances(accounts: readonly string[], { upTo, moment }: AsOf = {}): Promise<Map<string, AccountTip>> {
    if (accounts.length === 0) return new Map();
    const wanted = accounts.map((account) => ({ account, hash: BigInt(accountHash(account)) }));
    const rows = await this.db
      .aggregate<{
        account: string;
        changes: boolean;
        last: (Omit<LastPosting, 'posting'> & Partial<LastPosting>)[];
      }>(
        [
          { $documents: wanted },
          { $lookup: { from: ACCOUNTS, localField: 'account', foreignField: '_id', as: 'who' } },
          {
            $lookup: {
              from: JOURNAL,
              localField: 'hash',
              foreignField: 'touched',
              let: { account: '$account', hash: '$hash', since: { $ifNull: [{ $first: '$who.era' }, 0] } },
              pipeline: [
                { $match: { ...sinceEra(0), ...atOrBelow(upTo), $expr: { $gte: ['$era', '$$since'] } } },
                ...highest(IN_LAST_ENTRY),
                postingTo('$$account'),
              ],
              as: 'last',
            },
          },
          { $project: { account: 1, last: 1, changes: { $ifNull: [{ $first: '$who.changes' }, false] } } },
          { $match: { $or: [{ 'last.0': { $exists: true } }, { changes: true }] } },
        ],
        { session: this.#session, ...moment },
      )
      .toArray();
    const found = new Map<string, AccountTip>();
    for (const { account, last } of rows) {
      const [tip] = last;
      if (!tip) continue;
      const { height, at, posting } = tip;
      // What was found may be of another account that has the same hash.
      const balance = posting
        ? balanceOf({ height, at, posting })
        : await this.balanceAt(account, upTo ?? Number.MAX_SAFE_INTEGER, moment);
      if (balance) found.set(account, balance);
    }
    const changed = rows.filter(({ changes }) => changes).map(({ account }) => account);
    for (const [account, state] of await this.accountStates(changed, upTo)) {
      found.set(account, { ...(found.get(account) ?? NEVER_POSTED_TO), state });
    }
    return found;
  }

  /** How accounts are since they were last changed at or below a height; one that never was is missing. */
  async accountStates(accounts: readonly string[], upTo?: number): Promise<Map<string, AccountState>> {
    const name = { $concat: [ACCOUNT, '$$entry.changed.account'] };
    const found = await this.#latest(accounts.map(accountSubject), name, atOrBelow(upTo));
    return new Map(
      found.map(({ entry }) => {
        const { account, ...state } = entry.changed!;
        return [account, state];
      }),
    );
  }

  async settlements(ids: readonly string[]): Promise<Map<string, Settlement>> {
    const found = await this.latestAbout(ids);
    return new Map([...found].map(([id, { entry }]) => [id, entry.settlement!]));
  }

  /**
   * The latest entries that say how commands are settled; each is decided in one book for ever. `upTo`: a height of each
   * book; only what stands at or below these, and in no other book.
   */
  async latestAbout(ids: readonly string[], upTo?: ReadonlyMap<number, number>): Promise<Map<string, Placed>> {
    const found = await this.#latest(ids, '$$entry.settlement.id', upTo === undefined ? {} : withinBooks(upTo));
    return new Map(found.map((placed) => [placed.entry.settlement!.id, placed]));
  }

  /** Of the blocks that are about a subject the highest, and in it the last entry that names it (an expression). */
  async #latest(subjects: readonly string[], name: string | object, blocks: object): Promise<Placed[]> {
    if (subjects.length === 0) return [];
    const its = { $filter: { input: '$entries', as: 'entry', cond: { $eq: [name, '$$subject'] } } };
    const rows = await this.db
      .aggregate<{ found: EntryRow[] }>(
        [
          { $documents: subjects.map((subject) => ({ subject })) },
          {
            $lookup: {
              from: JOURNAL,
              localField: 'subject',
              foreignField: 'subjects',
              let: { subject: '$subject' },
              pipeline: [
                { $match: blocks },
                { $sort: { '_id.height': -1 } },
                { $limit: 1 },
                { $project: { at: 1, entries: [{ $last: its }] } },
              ],
              as: 'found',
            },
          },
        ],
        { session: this.#session },
      )
      .toArray();
    return rows.flatMap(({ found }) => found.flatMap(placedIn));
  }

  /** The latest balance of one account at or below a height; null: not posted to by then. */
  async balanceAt(account: string, height: number, moment?: OneMoment): Promise<Balance | null> {
    const literal = { $literal: account };
    const [last] = await this.#blocks
      .aggregate<LastPosting>(
        [
          { $match: { ...(await this.touching(account)), ...atOrBelow(height) } },
          ...highest(lastOfEntries(literal)),
          postingTo(literal),
        ],
        { session: this.#session, ...moment },
      )
      .toArray();
    return last ? balanceOf(last) : null;
  }

  /** The condition of blocks that touch an account. */
  protected async touching(account: string): Promise<object> {
    const options = { projection: { era: 1 }, session: this.#session };
    const known = await this.db.collection<AccountDocument>(ACCOUNTS).findOne({ _id: account }, options);
    const touched = BigInt(accountHash(account));
    return { ...sinceEra(known?.era ?? 0), touched, 'entries.postings.account': account };
  }

  /** The height of the last block of a book at or before a time (ms); 0: none. Block times never go backwards. */
  async heightAt(book: number, at: number): Promise<number> {
    const options = { sort: { _id: -1 }, projection: { at: 1 }, session: this.#session } as const;
    const tip = await this.#blocks.findOne({ _id: blocksOf(book) }, options);
    if (!tip) return 0;
    let low = 0;
    let high = toNumber(tip._id.height);
    if (tip.at.getTime() <= at) return high;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      const _id = { book, height: BigInt(middle) };
      const found = await this.#blocks.findOne({ _id }, { projection: { at: 1 }, session: this.#session });
      if (found && found.at.getTime() <= at) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

/** The blocks of a book from a height on, as a condition on `_id`. */
export function blocksOf(book: number, fromHeight = 0) {
  return { $gte: { book, height: BigInt(fromHeight) }, $lte: { book, height: HEIGHT_MAX } };
}

/** The books that have a block, in order: one seek each. */
export async function journalBooks(db: Db, options: FindOptions = {}): Promise<number[]> {
  const blocks = db.collection<BlockDocument>(JOURNAL);
  const found: number[] = [];
  for (let after = -1; ; ) {
    const next = await blocks.findOne(
      { _id: { $gt: { book: after, height: HEIGHT_MAX } } },
      { ...options, sort: { _id: 1 }, projection: { _id: 1 } },
    );
    if (!next) return found;
    after = next._id.book;
    found.push(after);
  }
}

/** Some entries of a block. */
interface EntryRow {
  _id: BlockDocument['_id'];
  at: Date;
  entries: EntryDocument[];
}

function placedIn({ _id, at, entries }: EntryRow): Placed[] {
  const place = { book: _id.book, height: toNumber(_id.height), at: at.getTime() };
  return entries.map((entry) => ({ entry: decodeEntry(entry), ...place }));
}

interface LastPosting {
  height: bigint;
  at: Date;
  posting: { posted: bigint; held: bigint };
}

/** Without the era a query could not use the index that begins with it. */
function sinceEra(era: number): object {
  return { era: { $gte: era } };
}

function atOrBelow(height: number | undefined): object {
  return height === undefined ? {} : { '_id.height': { $lte: BigInt(height) } };
}

function withinBooks(upTo: ReadonlyMap<number, number>): object {
  return { $or: [...upTo].map(([book, height]) => ({ '_id.book': book, ...atOrBelow(height) })) };
}

/** The order in which the index holds the blocks that touch an account. */
export function byHeight(order: 1 | -1): Record<string, 1 | -1> {
  return { era: order, '_id.height': order };
}

/** An entry of a block: the last one that posts to any account with the hash `$$hash`. */
const IN_LAST_ENTRY = {
  $arrayElemAt: ['$entries', { $arrayElemAt: ['$lastEntry', { $indexOfArray: ['$touched', '$$hash'] }] }],
};

/** The same, for an account (an expression) whose hash others may have, too. Each entry is looked at. */
function lastOfEntries(account: object): object {
  const touches = { $in: [account, '$$entry.postings.account'] };
  return { $last: { $filter: { input: '$entries', as: 'entry', cond: touches } } };
}

/** Of some blocks the highest, and of that one an entry (an expression). */
function highest(entry: object): object[] {
  return [{ $sort: byHeight(-1) }, { $limit: 1 }, { $project: { at: 1, entry } }];
}

/** The posting of that entry to an account (an expression), if there is one. */
function postingTo(account: unknown): object {
  const isIts = { $eq: ['$$posting.account', account] };
  const posting = { $last: { $filter: { input: '$entry.postings', as: 'posting', cond: isIts } } };
  return { $project: { _id: 0, height: '$_id.height', at: 1, posting } };
}

function balanceOf({ height, at, posting }: LastPosting): Balance {
  return { posted: posting.posted, held: posting.held, height: toNumber(height), at: at.getTime() };
}

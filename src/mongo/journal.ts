import type { ClientSession, Collection, Db, FindOptions } from 'mongodb';
import type { AppendResult, EncodedBlock, JournalPort } from '../ledger/ports.ts';
import type { Balance, Block, Placed, StoredBlock } from '../ledger/types.ts';
import {
  type BlockDocument,
  decodeBlock,
  decodeEntry,
  type EntryDocument,
  encodeBlock,
  toNumber,
} from './block-codec.ts';
import { readSession, WRITE_TIMEOUT_MS } from './client.ts';
import { insertRaw } from './raw-insert.ts';

export const JOURNAL = 'journal';

const HEIGHT_MAX = 2n ** 63n - 1n;

/** The journal collection. Blocks are only ever inserted. */
export class MongoJournal implements JournalPort {
  readonly #blocks: Collection<BlockDocument>;
  readonly #accounts: Collection<{ _id: string }>;

  constructor(readonly db: Db) {
    this.#blocks = db.collection(JOURNAL);
    this.#accounts = db.collection('accounts');
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
    const below = { $gte: { book, height: 0n }, $lte: { book, height: HEIGHT_MAX } };
    const document = await this.#blocks.findOne({ _id: below }, { sort: { _id: -1 }, session: this.#session });
    return document && decodeBlock(document);
  }

  async read(book: number, fromHeight: number, limit: number): Promise<StoredBlock[]> {
    const range = { $gte: { book, height: BigInt(fromHeight) }, $lte: { book, height: HEIGHT_MAX } };
    const session = this.#session;
    const documents = await this.#blocks.find({ _id: range }, { session }).sort({ _id: 1 }).limit(limit).toArray();
    return documents.map(decodeBlock);
  }

  async findEntries(ids: readonly string[]): Promise<Placed[]> {
    if (ids.length === 0) return [];
    const rows = await this.#blocks
      .aggregate<{ _id: BlockDocument['_id']; at: Date; entries: EntryDocument[] }>(
        [
          { $match: { 'entries.id': { $in: ids } } },
          { $project: { at: 1, entries: { $filter: { input: '$entries', cond: { $in: ['$$this.id', ids] } } } } },
        ],
        { session: this.#session },
      )
      .toArray();
    return rows.flatMap(({ _id, at, entries }) =>
      entries.map((entry) => ({
        entry: decodeEntry(entry),
        book: _id.book,
        height: toNumber(_id.height),
        at: at.getTime(),
      })),
    );
  }

  /** One seek into the index by account and height for each account, all in one command. */
  async balances(accounts: readonly string[]): Promise<Map<string, Balance>> {
    const rows = await this.#accounts
      .aggregate<{ _id: string; last: LastPosting[] }>(
        [
          { $match: { _id: { $in: accounts } } },
          { $project: { _id: 1 } },
          {
            $lookup: {
              from: JOURNAL,
              localField: '_id',
              foreignField: 'entries.postings.account',
              let: { account: '$_id' },
              pipeline: lastPosting('$$account'),
              as: 'last',
            },
          },
          { $match: { 'last.0': { $exists: true } } },
        ],
        { session: this.#session },
      )
      .toArray();
    return new Map(rows.map(({ _id, last }) => [_id, balanceOf(last[0]!)]));
  }

  /** The latest balance of one account at or below a height; null: not posted to by then. */
  async balanceAt(account: string, height: number): Promise<Balance | null> {
    const [last] = await this.#blocks
      .aggregate<LastPosting>(
        [
          { $match: { 'entries.postings.account': account, '_id.height': { $lte: BigInt(height) } } },
          ...lastPosting({ $literal: account }),
        ],
        { session: this.#session },
      )
      .toArray();
    return last ? balanceOf(last) : null;
  }

  /** The height of the last block of a book at or before a time (ms); 0: none. Block times never go backwards. */
  async heightAt(book: number, at: number): Promise<number> {
    let low = 0;
    let high = (await this.tip(book))?.height ?? 0;
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

interface LastPosting {
  height: bigint;
  at: Date;
  posting: { posted: bigint; held: bigint };
}

/** Of the blocks that touch an account (an expression), the highest, and the last posting to the account in it. */
function lastPosting(account: unknown): object[] {
  const touches = { $in: [account, '$$entry.postings.account'] };
  const isIts = { $eq: ['$$posting.account', account] };
  return [
    { $sort: { '_id.height': -1 } },
    { $limit: 1 },
    { $project: { at: 1, entry: { $last: { $filter: { input: '$entries', as: 'entry', cond: touches } } } } },
    {
      $project: {
        _id: 0,
        height: '$_id.height',
        at: 1,
        posting: { $last: { $filter: { input: '$entry.postings', as: 'posting', cond: isIts } } },
      },
    },
  ];
}

function balanceOf({ height, at, posting }: LastPosting): Balance {
  return { posted: posting.posted, held: posting.held, height: toNumber(height), at: at.getTime() };
}

import type { Collection, Db } from 'mongodb';
import type { Direction, JournalQueries, PlacedAt, Position } from '../payments/ports.ts';
import type { TrialBalanceRow } from '../payments/types.ts';
import { type BlockDocument, decodeEntry, type EntryDocument, toNumber } from './block-codec.ts';
import { byHeight, JOURNAL, journalBooks, MongoJournal } from './journal.ts';
import { trialBalance } from './trial-balance.ts';

/** An entry cut out of its block. */
interface EntryRow {
  _id: BlockDocument['_id'];
  at: Date;
  cut: { index: number; entry: EntryDocument };
}

/** What users ask the journal. Everything it reads is durable on a majority. */
export class MongoJournalQueries extends MongoJournal implements JournalQueries {
  readonly #blocks: Collection<BlockDocument>;

  constructor(db: Db) {
    super(db);
    this.#blocks = db.collection(JOURNAL);
  }

  async entriesOf(
    account: string,
    from: Pick<Position, 'height' | 'index'> | null,
    direction: Direction,
    limit: number,
  ): Promise<PlacedAt[]> {
    const [reach, order] = direction === 'older' ? (['$lte', -1] as const) : (['$gte', 1] as const);
    const range = from === null ? {} : { '_id.height': { [reach]: BigInt(from.height) } };
    const rows = await this.#blocks
      .aggregate<EntryRow>([
        { $match: { ...(await this.touching(account)), ...range } },
        { $sort: byHeight(order) },
        // Each of these blocks has at least one of its entries; the first may only have ones before the cursor.
        { $limit: limit + 1 },
        ...cutIntoEntries(direction, { $in: [{ $literal: account }, '$$entry.postings.account'] }),
        ...(from === null ? [] : [{ $match: beyond(from, direction) }]),
        { $limit: limit },
      ])
      .toArray();
    return rows.map(placedAt);
  }

  async entries(from: Position | null, direction: Direction, limit: number): Promise<PlacedAt[]> {
    const books = await this.books();
    const found = await Promise.all(books.map((book) => this.#entriesOfBook(book, from, direction, limit)));
    const sign = direction === 'older' ? -1 : 1;
    return found
      .flat()
      .sort((a, b) => sign * comparePositions(a, b))
      .slice(0, limit);
  }

  async positionOf(id: string): Promise<Position | null> {
    const [row] = await this.#blocks
      .aggregate<{ _id: BlockDocument['_id']; at: Date; index: number }>([
        { $match: { entries: { $elemMatch: { id, ...primary('') } } } },
        { $limit: 1 },
        { $project: { at: 1, index: { $indexOfArray: ['$entries.id', id] } } },
      ])
      .toArray();
    if (!row) return null;
    return { at: row.at.getTime(), book: row._id.book, height: toNumber(row._id.height), index: Number(row.index) };
  }

  trialBalance(): Promise<TrialBalanceRow[]> {
    return trialBalance(this.db);
  }

  /** The books that have a block, in order. */
  books(): Promise<number[]> {
    return journalBooks(this.db);
  }

  async #entriesOfBook(book: number, from: Position | null, direction: Direction, limit: number): Promise<PlacedAt[]> {
    const older = direction === 'older';
    const start = from === null ? null : await this.#startIn(book, from, older);
    const [reach, order] = older ? (['$lte', -1] as const) : (['$gte', 1] as const);
    const height = BigInt(start?.height ?? Number.MAX_SAFE_INTEGER);
    const other = older ? { $gte: { book, height: 0n } } : { $lte: { book, height: 2n ** 63n - 1n } };
    const rows = await this.#blocks
      .aggregate<EntryRow>([
        { $match: { _id: { ...other, [reach]: { book, height } }, entries: { $elemMatch: primary('') } } },
        { $sort: { _id: order } },
        { $limit: limit + 1 },
        ...cutIntoEntries(direction),
        { $match: primary('cut.entry.') },
        ...(start === null ? [] : [{ $match: beyond(start, direction) }]),
        { $limit: limit },
      ])
      .toArray();
    return rows.map(placedAt);
  }

  /** Where to go on in a book from a position that may be in another: books are merged by time, then by number. */
  async #startIn(book: number, from: Position, older: boolean): Promise<{ height: number; index: number }> {
    if (book === from.book) return from;
    // Of blocks with the very same time, those of lower books come first.
    const upTo = await this.heightAt(book, book < from.book ? from.at : from.at - 1);
    return older ? { height: upTo + 1, index: 0 } : { height: upTo, index: Number.MAX_SAFE_INTEGER };
  }
}

/**
 * Cuts blocks into their entries, of these the `wanted` ones (a condition on `$$entry`), and keeps their order, so that nothing has to be sorted after it. MongoDB 6.0 moves a
 * `$sort` that follows an `$unwind` before it, even when it sorts by the index that only the `$unwind` brings.
 */
function cutIntoEntries(direction: Direction, wanted: object = { $literal: true }): object[] {
  const count = { $size: '$entries' };
  const indexes = direction === 'older' ? { $range: [{ $subtract: [count, 1] }, -1, -1] } : { $range: [0, count] };
  const entry = { $arrayElemAt: ['$entries', '$$index'] };
  const these = { $filter: { input: indexes, as: 'index', cond: { $let: { vars: { entry }, in: wanted } } } };
  const cut = { $map: { input: these, as: 'index', in: { index: '$$index', entry } } };
  return [{ $project: { at: 1, cut } }, { $unwind: '$cut' }];
}

/** An entry that describes its whole command; `path` leads to the entry. */
function primary(path: string): object {
  return { $or: [{ [`${path}span`]: { $exists: false } }, { [`${path}span.legs`]: { $exists: true } }] };
}

/** Strictly beyond a position within one book. */
function beyond({ height, index }: Pick<Position, 'height' | 'index'>, direction: Direction): object {
  const operator = direction === 'older' ? '$lt' : '$gt';
  const at = BigInt(height);
  const within = { '_id.height': at, 'cut.index': { [operator]: BigInt(index) } };
  return { $or: [{ '_id.height': { [operator]: at } }, within] };
}

function placedAt({ _id, at, cut }: EntryRow): PlacedAt {
  const { book, height } = _id;
  return { entry: decodeEntry(cut.entry), book, height: toNumber(height), at: at.getTime(), index: cut.index };
}

function comparePositions(a: Position, b: Position): number {
  return a.at - b.at || a.book - b.book || a.height - b.height || a.index - b.index;
}

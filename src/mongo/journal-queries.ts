import type { Collection, Db } from 'mongodb';
import type { Entry } from '../ledger/types.ts';
import type { AccountEntries, BookPosition, Direction, JournalQueries, PlacedAt, Position } from '../payments/ports.ts';
import type { AccountView, BookView, TransactionFilter, TrialBalanceRow } from '../payments/types.ts';
import { type BlockDocument, decodeEntry, type EntryDocument, toNumber } from './block-codec.ts';
import { blocksOf, byHeight, JOURNAL, journalBooks, MongoJournal } from './journal.ts';
import { trialBalance } from './trial-balance.ts';

type Which = Pick<TransactionFilter, 'kind' | 'createdFrom' | 'createdTo'>;

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
    from: BookPosition | null,
    direction: Direction,
    limit: number,
    which: AccountEntries = {},
  ): Promise<PlacedAt[]> {
    const [reach, order] = direction === 'older' ? (['$lte', -1] as const) : (['$gte', 1] as const);
    const bounds = [
      ...(from === null ? [] : [{ '_id.height': { [reach]: BigInt(from.height) } }]),
      ...(which.from === undefined ? [] : [{ '_id.height': { $gte: BigInt(which.from) } }]),
      ...(which.to === undefined ? [] : [{ '_id.height': { $lte: BigInt(which.to) } }]),
    ];
    const rows = await this.#blocks
      .aggregate<EntryRow>([
        {
          $match: {
            $and: [await this.touching(account), { entries: { $elemMatch: posting(account, which) } }, ...bounds],
          },
        },
        { $sort: byHeight(order) },
        // Each of these blocks has at least one of its entries; the first may only have ones before the cursor.
        { $limit: limit + 1 },
        ...cutIntoEntries(direction, { $in: [{ $literal: account }, '$$entry.postings.account'] }),
        { $match: posting(account, which, 'cut.entry.') },
        ...(from === null ? [] : [{ $match: beyond(from, direction) }]),
        { $limit: limit },
      ])
      .toArray();
    return rows.map(placedAt);
  }

  async positionAmong(
    { id: account, book }: Pick<AccountView, 'id' | 'book'>,
    id: string,
    direction: Direction,
  ): Promise<BookPosition | null> {
    const its = posting(account, { once: true });
    const [row] = await this.#blocks
      .aggregate<EntryRow>([
        { $match: { 'entries.id': id, entries: { $elemMatch: { id, ...its } } } },
        ...cutIntoEntries('newer', { $eq: ['$$entry.id', id] }),
        { $match: posting(account, { once: true }, 'cut.entry.') },
        { $limit: 1 },
      ])
      .toArray();
    if (row) return placedAt(row);
    const position = await this.positionOf(id);
    return position && this.#startIn(book, position, direction === 'older');
  }

  async followers(id: string, from: BookPosition | null, direction: Direction, limit: number): Promise<PlacedAt[]> {
    const [reach, order] = direction === 'older' ? (['$lte', -1] as const) : (['$gte', 1] as const);
    const rows = await this.#blocks
      .aggregate<EntryRow>([
        { $match: { subjects: id, ...(from && { '_id.height': { [reach]: BigInt(from.height) } }) } },
        { $sort: { '_id.height': order } },
        // Each has one of these entries at the least, but for the block of its own entry and that of the cursor.
        { $limit: limit + 2 },
        ...cutIntoEntries(direction, { $eq: ['$$entry.settlement.id', id] }),
        { $match: { ...follows(id, 'cut.entry.'), ...(from && beyond(from, direction)) } },
        { $limit: limit },
      ])
      .toArray();
    return rows.map(placedAt);
  }

  async positionOfFollower(id: string, follower: string): Promise<BookPosition | null> {
    const [row] = await this.#blocks
      .aggregate<EntryRow>([
        { $match: { 'entries.id': follower } },
        ...cutIntoEntries('newer', { $eq: ['$$entry.id', follower] }),
        { $match: follows(id, 'cut.entry.') },
        { $limit: 1 },
      ])
      .toArray();
    return row ? placedAt(row) : null;
  }

  async entries(from: Position | null, direction: Direction, limit: number, which: Which = {}): Promise<PlacedAt[]> {
    const books = await this.books();
    const found = await Promise.all(books.map((book) => this.#entriesOfBook(book, from, direction, limit, which)));
    return nearest(found.flat(), direction, limit);
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

  async tips(): Promise<BookView[]> {
    const tips = await Promise.all((await this.books()).map((book) => this.#tipOf(book)));
    return tips.filter((tip) => tip !== null);
  }

  async #tipOf(book: number): Promise<BookView | null> {
    const projection = { hash: 1, term: 1, at: 1 };
    const found = await this.#blocks.findOne({ _id: blocksOf(book) }, { sort: { _id: -1 }, projection });
    if (!found) return null;
    const { _id, hash, term, at } = found;
    return { book, height: toNumber(_id.height), hash: hash.toString('hex'), term: toNumber(term), at };
  }

  /** The books that have a block, in order. */
  books(): Promise<number[]> {
    return journalBooks(this.db);
  }

  async #entriesOfBook(
    book: number,
    from: Position | null,
    direction: Direction,
    limit: number,
    { kind, createdFrom, createdTo }: Which,
  ): Promise<PlacedAt[]> {
    const older = direction === 'older';
    const [start, below, top] = await Promise.all([
      from && this.#startIn(book, from, older),
      createdFrom ? this.heightAt(book, createdFrom.getTime() - 1) : 0,
      createdTo ? this.heightAt(book, createdTo.getTime()) : Number.MAX_SAFE_INTEGER,
    ]);
    const lowest = older ? below + 1 : Math.max(below + 1, start?.height ?? 0);
    const highest = older ? Math.min(top, start?.height ?? top) : top;
    if (lowest > highest) return [];
    const read = async (blocks: object, sort: object, wanted: (path: string) => object) => {
      const isWanted = (path: string) => ({ $and: [primary(path), wanted(path)] });
      const rows = await this.#blocks
        .aggregate<EntryRow>([
          { $match: { ...blocks, entries: { $elemMatch: isWanted('') } } },
          { $sort: sort },
          { $limit: limit + 1 },
          ...cutIntoEntries(direction),
          { $match: isWanted('cut.entry.') },
          ...(start === null ? [] : [{ $match: beyond(start, direction) }]),
          { $limit: limit },
        ])
        .toArray();
      return rows.map(placedAt);
    };
    const order = older ? -1 : 1;
    const [bottom, up] = [BigInt(lowest), BigInt(highest)];
    if (kind === undefined) {
      const blocks = { _id: { $gte: { book, height: bottom }, $lte: { book, height: up } } };
      return read(blocks, { _id: order }, () => ({}));
    }
    const ofKind = (stored: Entry['kind'], wanted: object) => {
      const blocks = { '_id.book': book, 'entries.kind': stored, '_id.height': { $gte: bottom, $lte: up } };
      return read(blocks, { '_id.height': order }, (path) => prefixed(path, { kind: stored, ...wanted }));
    };
    // Apart, as a condition with both would not be read straight from the index.
    const found = await Promise.all([ofKind(kind, {}), ofKind('rejected', { 'rejection.kind': kind })]);
    return nearest(found.flat(), direction, limit);
  }

  /** Where to go on in a book from a position that may be in another: books are merged by time, then by number. */
  async #startIn(book: number, from: Position, older: boolean): Promise<BookPosition> {
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

function prefixed(path: string, conditions: object): object {
  return Object.fromEntries(Object.entries(conditions).map(([name, condition]) => [path + name, condition]));
}

/** An entry that posts to an account; `path` leads to the entry. */
function posting(account: string, { kind, direction, once }: AccountEntries, path = ''): object {
  const amount = direction && { amount: direction === 'debit' ? { $lt: 0n } : { $gt: 0n } };
  return prefixed(path, {
    postings: { $elemMatch: { account, ...amount } },
    ...(kind && { kind }),
    ...(once && { 'span.part': { $ne: 'reversal' } }),
  });
}

/** An entry of another command that says how this one is settled; `path` leads to the entry. */
function follows(id: string, path: string): object {
  return prefixed(path, { id: { $ne: id }, 'settlement.id': id });
}

/** An entry that describes its whole command; `path` leads to the entry. */
function primary(path: string): object {
  return { $or: [{ [`${path}span`]: { $exists: false } }, { [`${path}span.legs`]: { $exists: true } }] };
}

/** Strictly beyond a position within one book. */
function beyond({ height, index }: BookPosition, direction: Direction): object {
  const operator = direction === 'older' ? '$lt' : '$gt';
  const at = BigInt(height);
  const within = { '_id.height': at, 'cut.index': { [operator]: BigInt(index) } };
  return { $or: [{ '_id.height': { [operator]: at } }, within] };
}

function placedAt({ _id, at, cut }: EntryRow): PlacedAt {
  const { book, height } = _id;
  return { entry: decodeEntry(cut.entry), book, height: toNumber(height), at: at.getTime(), index: cut.index };
}

function nearest(found: readonly PlacedAt[], direction: Direction, limit: number): PlacedAt[] {
  const sign = direction === 'older' ? -1 : 1;
  return [...found].sort((a, b) => sign * comparePositions(a, b)).slice(0, limit);
}

function comparePositions(a: Position, b: Position): number {
  return a.at - b.at || a.book - b.book || a.height - b.height || a.index - b.index;
}

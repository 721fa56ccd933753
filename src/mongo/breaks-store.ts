import type { Collection, Db, Filter } from 'mongodb';
import { type Page, type PageQuery, PaymentsError } from '../payments/types.ts';
import type { AgeingRow, BreakFilter, BreakStore } from '../reconciliation/ports.ts';
import type { Break, BreakComment, BreakMatter, Resolution } from '../reconciliation/types.ts';
import { isOnlyDuplicates } from './duplicates.ts';

const COMMENTS_MAX = 200;

type BreakDocument = Omit<Break, 'id'> & {
  _id: string;
  /** What it was about before a reconciliation changed it: the last one that did. */
  previous?: BreakMatter & { reconciliation: string };
};

export class MongoBreaks implements BreakStore {
  readonly #breaks: Collection<BreakDocument>;

  constructor(db: Db) {
    this.#breaks = db.collection('breaks');
  }

  async get(id: string): Promise<Break | null> {
    const found = await this.#breaks.findOne({ _id: id });
    return found && fromDocument(found);
  }

  async list(filter: BreakFilter, { limit, startingAfter, endingBefore }: PageQuery): Promise<Page<Break>> {
    const backwards = endingBefore !== undefined;
    const direction = backwards ? -1 : 1;
    // In the order of the statement within a reconciliation; else the oldest first.
    const by = filter.reconciliation === undefined ? 'day' : 'position';
    const cursor = startingAfter ?? endingBefore;
    const beyond = cursor === undefined ? {} : await this.#beyond(cursor, by, backwards ? '$lt' : '$gt');
    const found = await this.#breaks
      .find({ $and: [conditionOf(filter), beyond] })
      .sort({ [by]: direction, _id: direction })
      .limit(limit + 1)
      .toArray();
    const data = found.slice(0, limit).map(fromDocument);
    return { data: backwards ? data.reverse() : data, hasMore: found.length > limit };
  }

  async *openBefore(source: string, reconciliation: string, since: Date): AsyncIterable<Break> {
    const opened = { source, reconciliation: { $ne: reconciliation } };
    const byPeople = { 'resolution.reconciliation': null, 'resolution.at': { $gte: since } };
    const then = { $or: [{ status: 'open' as const }, { 'resolution.reconciliation': reconciliation }, byPeople] };
    for await (const found of this.#breaks.find({ ...opened, ...then }).sort({ _id: 1 })) {
      const { reconciliation: changedBy, ...before } = found.previous ?? {};
      yield fromDocument(changedBy === reconciliation ? { ...found, ...before } : found);
    }
  }

  async insert(breaks: readonly Break[]): Promise<void> {
    if (breaks.length === 0) return;
    const documents = breaks.map(({ id, ...one }) => ({ _id: id, ...one }));
    try {
      await this.#breaks.insertMany(documents, { ordered: false });
    } catch (error) {
      if (!isOnlyDuplicates(error)) throw error;
    }
  }

  async change(
    id: string,
    change: Partial<Pick<Break, 'assignee' | 'adjustmentsRejected'>>,
    at: Date,
  ): Promise<boolean> {
    const changed = { $set: { ...change, updatedAt: at } };
    const { matchedCount } = await this.#breaks.updateOne({ _id: id, status: 'open' }, changed);
    return matchedCount > 0;
  }

  async revise(before: Break, change: BreakMatter, reconciliation: string, at: Date): Promise<boolean> {
    const { id: _id, cause, line, item, message, expectedBy, amount, currency, day, reference } = before;
    const previous = {
      ...{ cause, line, item, message, expectedBy, amount, currency, day, reference },
      reconciliation,
    };
    const asBefore = {
      ...{ _id, status: 'open' as const, cause, 'item.id': item?.id ?? null },
      ...{ 'line.reconciliation': line?.reconciliation ?? null, 'line.line': line?.line ?? null },
    };
    const { matchedCount } = await this.#breaks.updateOne(asBefore, { $set: { ...change, previous, updatedAt: at } });
    return matchedCount > 0;
  }

  async resolve(id: string, resolution: Resolution): Promise<boolean> {
    const resolved = { $set: { status: 'resolved' as const, resolution, updatedAt: resolution.at } };
    const { matchedCount } = await this.#breaks.updateOne({ _id: id, status: 'open' }, resolved);
    return matchedCount > 0;
  }

  async comment(id: string, comment: BreakComment): Promise<boolean> {
    const { matchedCount } = await this.#breaks.updateOne(
      { _id: id, [`comments.${COMMENTS_MAX - 1}`]: { $exists: false } },
      { $push: { comments: comment }, $set: { updatedAt: comment.at } },
    );
    return matchedCount > 0;
  }

  async ageing(source?: string): Promise<AgeingRow[]> {
    const rows = await this.#breaks
      .aggregate<{ _id: Pick<AgeingRow, 'source' | 'cause' | 'currency' | 'day'>; count: number; amount: bigint }>([
        { $match: { status: 'open', ...(source === undefined ? {} : { source }) } },
        {
          $group: {
            _id: { source: '$source', cause: '$cause', currency: '$currency', day: '$day' },
            count: { $sum: 1 },
            amount: { $sum: '$amount' },
          },
        },
        { $sort: { _id: 1 } },
      ])
      .toArray();
    return rows.map(({ _id, count, amount }) => ({ ..._id, count: Number(count), amount: BigInt(amount) }));
  }

  async #beyond(cursor: string, by: 'day' | 'position', operator: '$lt' | '$gt'): Promise<Filter<BreakDocument>> {
    const at = await this.#breaks.findOne({ _id: cursor }, { projection: { [by]: 1 } });
    if (at === null) throw new PaymentsError('invalid_cursor', `there is no break ${cursor}`);
    const value = at[by];
    return { $or: [{ [by]: { [operator]: value } }, { [by]: value, _id: { [operator]: cursor } }] };
  }
}

function conditionOf({ upToDay, ...equal }: BreakFilter): Filter<BreakDocument> {
  const asked = Object.entries(equal).filter(([, value]) => value !== undefined);
  return { ...Object.fromEntries(asked), ...(upToDay === undefined ? {} : { day: { $lte: upToDay } }) };
}

function fromDocument({ _id, previous: _, ...one }: BreakDocument): Break {
  return { id: _id, ...one };
}

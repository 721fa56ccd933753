import type { Collection, Filter } from 'mongodb';
import type { Page, PageQuery } from '../payments/types.ts';

/** A page in the order of `_id`: 1 ascending, -1 descending. Cursors are ids, also of what is gone. */
export async function idPage<T extends { _id: string }>(
  collection: Collection<T>,
  filter: Filter<T>,
  { limit, startingAfter, endingBefore }: PageQuery,
  order: 1 | -1,
): Promise<Page<T>> {
  const backwards = endingBefore !== undefined;
  const direction = backwards ? -order : order;
  const cursor = startingAfter ?? endingBefore;
  const beyond = cursor === undefined ? {} : { _id: direction === 1 ? { $gt: cursor } : { $lt: cursor } };
  const found = await collection
    .find({ $and: [filter, beyond] } as Filter<T>)
    .sort({ _id: direction as 1 | -1 })
    .limit(limit + 1)
    .toArray();
  const data = found.slice(0, limit) as T[];
  return { data: backwards ? data.reverse() : data, hasMore: found.length > limit };
}

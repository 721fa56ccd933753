import type { Collection, Filter } from 'mongodb';
import { labelOf } from '../payments/labels.ts';
import type { Page, PageQuery, PaymentFilter } from '../payments/types.ts';
import type { PaymentDocument } from './payments-view.ts';

type Condition = Filter<PaymentDocument>;

/**
 * A page of payments, newest first by time and id. Neither ever changes, and a cursor is no more than a place in that
 * order: whatever arrives meanwhile, and whatever a cursor is filtered by, what was there is met once. Null when the
 * cursor names no payment that is there, unless it is said when it was created.
 */
export async function listPayments(
  payments: Collection<PaymentDocument>,
  filter: PaymentFilter,
  { limit, startingAfter, endingBefore }: PageQuery,
  cursorAt?: Date,
): Promise<Page<PaymentDocument> | null> {
  const newer = endingBefore !== undefined;
  const order = newer ? 1 : -1;
  const read = (conditions: Condition[]) => {
    const condition = conditions.length === 0 ? {} : { $and: conditions };
    return payments
      .find(condition)
      .sort({ createdAt: order, _id: order })
      .limit(limit + 1)
      .toArray();
  };
  const cursor = startingAfter ?? endingBefore;
  let found: PaymentDocument[];
  if (cursor === undefined) {
    found = await read(conditionsOf(filter));
  } else {
    const options = { projection: { createdAt: 1 } };
    const createdAt = cursorAt ?? (await payments.findOne({ _id: cursor }, options))?.createdAt;
    if (!createdAt) return null;
    // Those of the very same time apart: a condition with both in it would not be read straight from an index.
    const [same, others] = await Promise.all([
      isWithin(createdAt, filter)
        ? read([...conditionsOf({ ...filter, createdFrom: createdAt, createdTo: createdAt }), beyond(cursor, newer)])
        : [],
      read(conditionsOf(newer ? newerThan(filter, createdAt) : olderThan(filter, createdAt))),
    ]);
    found = [...same, ...others];
  }
  const data = found.slice(0, limit);
  return { data: newer ? data.reverse() : data, hasMore: found.length > limit };
}

function beyond(id: string, newer: boolean): Condition {
  return { _id: newer ? { $gt: id } : { $lt: id } };
}

function isWithin(time: Date, { createdFrom, createdTo }: PaymentFilter): boolean {
  return (createdFrom === undefined || createdFrom <= time) && (createdTo === undefined || time <= createdTo);
}

/** The filter, for what was created after a time. */
function newerThan(filter: PaymentFilter, time: Date): PaymentFilter {
  const next = new Date(time.getTime() + 1);
  const { createdFrom } = filter;
  return { ...filter, createdFrom: createdFrom && createdFrom > next ? createdFrom : next };
}

/** The filter, for what was created before a time. */
function olderThan(filter: PaymentFilter, time: Date): PaymentFilter {
  const last = new Date(time.getTime() - 1);
  const { createdTo } = filter;
  return { ...filter, createdTo: createdTo && createdTo < last ? createdTo : last };
}

function conditionsOf(filter: PaymentFilter): Condition[] {
  const { status, account, reference, currency, metadata = {} } = filter;
  const createdAt = range(filter.createdFrom, filter.createdTo);
  const amount = range(filter.amountFrom, filter.amountTo);
  return [
    ...(status === undefined ? [] : [{ status }]),
    ...(account === undefined ? [] : [{ accounts: account }]),
    ...(reference === undefined ? [] : [{ reference }]),
    ...(currency === undefined ? [] : [{ currency }]),
    ...(amount === undefined ? [] : [{ amount }]),
    ...(createdAt === undefined ? [] : [{ createdAt }]),
    ...Object.entries(metadata).flatMap(([key, value]) => [
      { labels: labelOf(key, value) },
      // Another pair may have the same label.
      { [`metadata.${key}`]: value },
    ]),
  ];
}

function range<T extends Date | bigint>(from: T | undefined, to: T | undefined) {
  if (from === undefined && to === undefined) return undefined;
  // Equality, unlike a range of one, leaves the order of the index as it is.
  if (from !== undefined && from.valueOf() === to?.valueOf()) return from;
  return { ...(from !== undefined && { $gte: from }), ...(to !== undefined && { $lte: to }) };
}

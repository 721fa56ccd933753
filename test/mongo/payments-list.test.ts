import { beforeAll, describe, expect, it } from 'vitest';
import { migrateUp } from '../../src/mongo/migrate.ts';
import { MongoPaymentsView } from '../../src/mongo/payments-view.ts';
import type { PageQuery, PaymentFilter, PaymentView } from '../../src/payments/types.ts';
import { useDatabase } from '../support/database.ts';
import { paymentViewOf } from '../support/payment-view.ts';
import { type Plan, withPlans } from '../support/plans.ts';
import { randomFrom } from '../verification/random-model.ts';

const COUNT = 6_000;
const LIMIT = 10;
/** The largest page. */
const SORTED_MAX = 101;
const EPOCH = 1_760_000_000_000;
const below = randomFrom(20_260_131);
const random = () => below(2 ** 30) / 2 ** 30;
const pick = <T>(of: readonly T[]) => of[Math.floor(random() * of.length)]!;

const database = useDatabase();
let view: MongoPaymentsView;
/** All of them, newest first. */
let all: PaymentView[];

/** As found in the wild: most are alike, and in each respect a few are not. */
function aPaymentView(i: number): PaymentView {
  const uuid = `${String(i).padStart(8, '0')}-0000-7000-8000-${String(Math.floor(random() * 1e12)).padStart(12, '0')}`;
  const rejected = random() < 0.01;
  const request = {
    source: random() < 0.8 ? 'world:EUR' : `user:${Math.floor(random() * 300)}`,
    destination: `shop:${Math.floor(random() ** 4 * 500)}`,
    amount: BigInt(Math.ceil(10 ** (random() * 7))),
    currency: random() < 0.95 ? 'EUR' : random() < 0.95 ? 'SEK' : 'ISK',
    reference: random() < 0.5 ? undefined : random() < 0.9 ? 'salary' : `invoice-${i % 700}`,
    metadata: {
      ...(random() < 0.6 && { shop: pick(['north', 'south', 'east', 'west']) }),
      ...(random() < 0.3 && { order: String(i % 900), channel: 'web' }),
    },
  };
  return paymentViewOf(request, {
    id: `pay_${uuid}`,
    transactionId: `txn_${uuid}`,
    status: rejected ? 'rejected' : 'posted',
    // Several at the same time, and not in the order of their ids.
    createdAt: new Date(EPOCH + Math.floor((i + random() * 20) / 7) * 10),
    book: i % 2,
    height: 1 + Math.floor(i / 2),
  });
}

beforeAll(async () => {
  await migrateUp(database.db);
  view = new MongoPaymentsView(database.db);
  const payments = Array.from({ length: COUNT }, (_, i) => aPaymentView(i));
  for (const book of [0, 1]) {
    const from = await view.position(book);
    await view.apply(
      book,
      from,
      COUNT,
      payments.filter((one) => one.book === book),
      [],
    );
  }
  all = payments.sort((a, b) => b.createdAt.getTime() - a.createdAt.getTime() || (a.id < b.id ? 1 : -1));
});

type Condition = { filter: PaymentFilter; keep: (payment: PaymentView) => boolean };
const time = (share: number) => new Date(EPOCH + Math.floor((COUNT * share) / 7) * 10);

/** In each respect a condition that many fit and one that few do. */
const RESPECTS: Record<string, Condition[]> = {
  status: (['posted', 'rejected'] as const).map((status) => ({
    filter: { status },
    keep: (one) => one.status === status,
  })),
  account: ['world:EUR', 'shop:0', 'shop:411', 'user:7'].map((account) => ({
    filter: { account },
    keep: (one) => one.source === account || one.destination === account,
  })),
  reference: ['salary', 'invoice-77'].map((reference) => ({
    filter: { reference },
    keep: (one) => one.reference === reference,
  })),
  currency: ['EUR', 'ISK'].map((currency) => ({ filter: { currency }, keep: (one) => one.currency === currency })),
  metadata: (
    [{ channel: 'web' }, { order: '123' }, { order: '123', channel: 'web' }, { shop: 'north', order: '400' }] as Record<
      string,
      string
    >[]
  ).map((metadata) => ({
    filter: { metadata },
    keep: (one) => Object.entries(metadata).every(([k, v]) => one.metadata[k] === v),
  })),
  amount: (
    [
      [100n, undefined],
      [9_900_000n, undefined],
      [7n, 7n],
      [1_000_000n, 1_010_000n],
    ] as const
  ).map(([amountFrom, amountTo]) => ({
    filter: { amountFrom, amountTo },
    keep: ({ amount }) => amount >= amountFrom && (amountTo === undefined || amount <= amountTo),
  })),
  created: (
    [
      [time(0.1), undefined],
      [undefined, time(0.02)],
      [time(0.5), time(0.503)],
    ] as const
  ).map(([createdFrom, createdTo]) => ({
    filter: { createdFrom, createdTo },
    keep: ({ createdAt }) => (!createdFrom || createdAt >= createdFrom) && (!createdTo || createdAt <= createdTo),
  })),
};

/** Each set of respects, with conditions drawn anew each time. */
function combinations(): { name: string; conditions: Condition[] }[] {
  const names = Object.keys(RESPECTS);
  return Array.from({ length: 2 ** names.length }, (_, set) => {
    const used = names.filter((_name, i) => set & (1 << i));
    return { name: used.join(' and ') || 'nothing', conditions: used.map((name) => pick(RESPECTS[name]!)) };
  });
}

const filterOf = (conditions: Condition[]): PaymentFilter =>
  Object.assign({}, ...conditions.map(({ filter }) => filter));
const fitting = (conditions: Condition[]) => all.filter((one) => conditions.every(({ keep }) => keep(one)));
const idsOf = (payments: readonly PaymentView[]) => payments.map(({ id }) => id);

/** The best of the indexes finds no more than this. */
function fewest(conditions: Condition[]): number {
  return Math.min(COUNT, ...conditions.map((one) => fitting([one]).length));
}

function expectGood(plan: Plan, examinedMax: number): void {
  const what = JSON.stringify(plan, (_, value) => (typeof value === 'bigint' ? String(value) : value));
  expect(plan.scans, what).toBe(0);
  expect(plan.sorted, what).toBeLessThanOrEqual(SORTED_MAX);
  expect(plan.docsExamined, what).toBeLessThanOrEqual(examinedMax);
}

describe('a page of payments', () => {
  it.each(combinations())('by $name is right, and read from an index', async ({ conditions }) => {
    const expected = fitting(conditions);
    const filter = filterOf(conditions);
    const { value, plans } = await withPlans(database.name, async (db) => {
      const pages: (string[] | undefined)[] = [];
      const list = async (page: PageQuery) => {
        const found = await new MongoPaymentsView(db).list(filter, page);
        pages.push(found?.data.map(({ id }) => id));
      };
      await list({ limit: LIMIT });
      for (const middle of [expected[Math.floor(expected.length / 2)], all[COUNT / 2]]) {
        if (!middle) continue;
        await list({ limit: LIMIT, startingAfter: middle.id });
        await list({ limit: LIMIT, endingBefore: middle.id });
      }
      return pages;
    });
    const pages = [idsOf(expected.slice(0, LIMIT))];
    for (const middle of [expected[Math.floor(expected.length / 2)], all[COUNT / 2]]) {
      if (!middle) continue;
      const at = all.indexOf(middle);
      const isOlder = new Set(all.slice(at + 1));
      const isNewer = new Set(all.slice(0, at));
      pages.push(idsOf(expected.filter((one) => isOlder.has(one)).slice(0, LIMIT)));
      pages.push(idsOf(expected.filter((one) => isNewer.has(one)).slice(-LIMIT)));
    }
    expect(value).toEqual(pages);
    const examinedMax = 2 * Math.max(LIMIT + 1, fewest(conditions));
    for (const plan of plans) expectGood(plan, examinedMax);
  });
});

describe('a walk over the pages', () => {
  const own = useDatabase();

  it.each(['older', 'newer'] as const)(
    'to the %s meets once what was there, whatever arrives meanwhile',
    async (way) => {
      await migrateUp(own.db);
      const walked = new MongoPaymentsView(own.db);
      await walked.clear();
      let height = 0;
      const add = async (count: number) => {
        const more = Array.from({ length: count }, () => ({
          ...aPaymentView(below(400)),
          id: `pay_${below(2 ** 30)}`,
        }));
        await walked.apply(0, await walked.position(0), ++height, more, []);
        return more;
      };
      const filter: PaymentFilter = { account: 'world:EUR' };
      await add(400);
      const before = (await walked.list(filter, { limit: 1_000 }))!.data.map(({ id }) => id);
      expect(before.length).toBeGreaterThan(200);
      let cursor = way === 'older' ? before.shift()! : before.pop()!;
      const seen: string[] = [];
      for (let more = true; more; ) {
        const after = way === 'older' ? { startingAfter: cursor } : { endingBefore: cursor };
        const page = (await walked.list(filter, { limit: 1 + below(30), ...after }))!;
        const ids = page.data.map(({ id }) => id);
        seen.push(...(way === 'older' ? ids : ids.reverse()));
        cursor = seen.at(-1)!;
        more = page.hasMore;
        await add(10);
      }
      expect(new Set(seen).size).toBe(seen.length);
      expect(seen.length).toBeGreaterThan(before.length);
      const met = new Set(seen);
      expect(before.filter((id) => !met.has(id))).toEqual([]);
    },
  );
});

it('a read without an index is noticed', async () => {
  await database.db.collection('payments').dropIndexes();
  const { plans } = await withPlans(database.name, async (db) => {
    await new MongoPaymentsView(db).list({ status: 'rejected' }, { limit: LIMIT });
  });
  expect(plans.map(({ scans }) => scans)).toEqual([1]);
});

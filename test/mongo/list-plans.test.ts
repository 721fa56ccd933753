import { beforeAll, describe, expect, it } from 'vitest';
import type { Entry } from '../../src/ledger/types.ts';
import { MongoAccountsStore } from '../../src/mongo/accounts-store.ts';
import { MongoJournalQueries } from '../../src/mongo/journal-queries.ts';
import { migrateUp } from '../../src/mongo/migrate.ts';
import type { PlacedAt } from '../../src/payments/ports.ts';
import { anAccount } from '../support/commands.ts';
import { useDatabase } from '../support/database.ts';
import { addAccounts } from '../support/engine.ts';
import { type Plan, withPlans } from '../support/plans.ts';

const HEIGHTS = 600;
const ENTRIES = 3;
const LIMIT = 10;
const EPOCH = 1_760_000_000_000;
const database = useDatabase();
/** Every so many blocks: one of the kind and one of the account that are rarely seen. */
const RARE = 97;
/** A payment that every so many blocks say something about, of which the first is its own. */
const FOLLOWING = 15;
const FOLLOWED = `txn_${FOLLOWING}-2`;
const RARE_COUNT = Math.floor(HEIGHTS / RARE);

function entryOf(height: number, index: number): Entry {
  const id = `txn_${height}-${index}`;
  const isRare = height % RARE === 0 && index === 1;
  const accounts = ['hot', isRare ? 'rare' : `user:${height % 50}`];
  const postings = accounts.map((account, i) => ({
    account,
    amount: i === 0 ? -1n : 1n,
    currency: 'EUR',
    posted: 0n,
    held: 0n,
  }));
  if (isRare && height % 2 === 0) {
    const rejection = { reason: 'expired', kind: 'transaction', legs: postings } as const;
    return { id, key: id, kind: 'rejected', postings: [], rejection, details: {} };
  }
  const isAbout = height % FOLLOWING === 0 && index === 2;
  const settlement = { id: FOLLOWED, held: 0n, captured: 1n, refunded: 0n };
  const about = isAbout ? { settlement } : {};
  return { id, key: id, kind: isRare ? 'transaction' : 'payment', postings, ...about, details: {} };
}

beforeAll(async () => {
  const { db } = database;
  await migrateUp(db);
  const ids = ['hot', 'rare', ...Array.from({ length: 500 }, (_, i) => `user:${i}`)];
  await addAccounts(
    db,
    ids.map((id) => anAccount(id)),
  );
  const journal = new MongoJournalQueries(db);
  const blocks = Array.from({ length: HEIGHTS }, (_, i) => {
    const height = i + 1;
    const entries = Array.from({ length: ENTRIES }, (_, index) => entryOf(height, index));
    const base = {
      book: 0,
      height,
      prev: new Uint8Array(32),
      term: 1,
      at: EPOCH + height * 10,
      kind: 'entries',
    } as const;
    // Over a few eras.
    return journal.encode({ ...base, postingsBelow: height * 2_000, entries });
  });
  expect(await journal.append(blocks)).toMatchObject({ ended: 'done' });
});

const describedPlan = (plan: Plan) =>
  JSON.stringify(plan, (_, value) => (typeof value === 'bigint' ? String(value) : value));

async function expectGood<T>(read: (queries: MongoJournalQueries) => Promise<T>, examinedMax: number): Promise<T> {
  const { value, plans } = await withPlans(database.name, (db) => read(new MongoJournalQueries(db)));
  expect(plans.length).toBeGreaterThan(0);
  for (const plan of plans) {
    expect(plan.scans, describedPlan(plan)).toBe(0);
    expect(plan.sorted, describedPlan(plan)).toBe(0);
    expect(plan.docsExamined, describedPlan(plan)).toBeLessThanOrEqual(examinedMax);
  }
  return value;
}

const TIMES = [
  {},
  { createdFrom: new Date(EPOCH + 3_000) },
  { createdTo: new Date(EPOCH + 3_000) },
  { createdFrom: new Date(EPOCH + 2_000), createdTo: new Date(EPOCH + 4_500) },
];
const MIDDLE = { at: EPOCH + 3_500, book: 0, height: 350, index: 1 };
const WAYS = [
  [null, 'older'],
  [MIDDLE, 'older'],
  [MIDDLE, 'newer'],
] as const;
const PLACES = WAYS.flatMap(([from, way]) => TIMES.map((times) => ({ from, way, times })));

describe('transactions are read where they stand', () => {
  it.each(PLACES)('from $from.height to the $way, of $times', async ({ from, way, times }) => {
    for (const kind of [undefined, 'payment', 'transaction'] as const) {
      const found = await expectGood((one) => one.entries(from, way, LIMIT + 1, { kind, ...times }), LIMIT + 2);
      expect(found.length).toBeLessThanOrEqual(kind === 'transaction' ? RARE_COUNT : LIMIT + 1);
    }
  });

  it.each(['older', 'newer'] as const)('on from a command to the %s', async (way) => {
    await expectGood((one) => one.positionOf('txn_300-1'), 1);
    await expectGood((one) => one.findEntries(['txn_300-1', 'txn_7-2']), 2);
    await expectGood((one) => one.positionAmong({ id: 'rare', book: 0 }, 'txn_300-1', way), 1);
    await expectGood((one) => one.positionAmong({ id: 'hot', book: 0 }, 'txn_300-1', way), 1);
  });
});

describe('entries of an account are read where they stand', () => {
  const heights = [{}, { from: 200 }, { to: 400 }, { from: 200, to: 450 }];
  it.each(WAYS.flatMap(([from, way]) => heights.map((between) => ({ from, way, between }))))(
    'from $from.height to the $way, of $between',
    async ({ from, way, between }) => {
      for (const direction of [undefined, 'debit'] as const) {
        const read = (one: MongoJournalQueries) =>
          one.entriesOf('hot', from, way, LIMIT + 1, { direction, ...between });
        expect((await expectGood<PlacedAt[]>(read, LIMIT + 2)).length).toBe(LIMIT + 1);
      }
      const rare = { kind: 'transaction', direction: 'credit', once: true, ...between } as const;
      await expectGood((one) => one.entriesOf('rare', from, way, LIMIT + 1, rare), RARE_COUNT);
    },
  );
});

describe('what follows a payment is read where it stands', () => {
  it.each(['older', 'newer'] as const)('from either end and on from any, to the %s', async (way) => {
    const position = await expectGood((one) => one.positionOfFollower(FOLLOWED, `txn_${20 * FOLLOWING}-2`), 1);
    expect(position).toMatchObject({ height: 20 * FOLLOWING, index: 2 });
    for (const from of [null, position]) {
      const found = await expectGood((one) => one.followers(FOLLOWED, from, way, LIMIT), LIMIT + 2);
      const first = from === null ? (way === 'older' ? HEIGHTS / FOLLOWING : 2) : way === 'older' ? 19 : 21;
      const step = way === 'older' ? -1 : 1;
      const heights = Array.from({ length: LIMIT }, (_, i) => (first + i * step) * FOLLOWING);
      expect(found.map(({ height }) => height)).toEqual(heights);
    }
  });
});

describe('accounts are read where they stand', () => {
  it('newest first, on from any, and by how their ids begin', async () => {
    const { plans } = await withPlans(database.name, async (db) => {
      const accounts = new MongoAccountsStore(db);
      await accounts.list({ limit: LIMIT });
      await accounts.list({ limit: LIMIT, startingAfter: 'user:250' });
      await accounts.list({ limit: LIMIT, endingBefore: 'user:250' });
      await accounts.list({ limit: LIMIT }, 'user:4');
      await accounts.list({ limit: LIMIT, startingAfter: 'user:44' }, 'user:4');
      await accounts.list({ limit: LIMIT, endingBefore: 'user:44' }, 'user:4');
    });
    expect(plans).toHaveLength(8);
    for (const plan of plans) {
      expect(plan.scans, describedPlan(plan)).toBe(0);
      expect(plan.sorted, describedPlan(plan)).toBe(0);
      expect(plan.docsExamined, describedPlan(plan)).toBeLessThanOrEqual(LIMIT + 3);
    }
  });
});

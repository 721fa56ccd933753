/** What is written behind the journal: it goes on where it stopped, and never counts what is not there. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Engine } from '../../src/ledger/engine.ts';
import type { Account } from '../../src/ledger/types.ts';
import { ACCOUNTS, type AccountDocument } from '../../src/mongo/accounts.ts';
import { MongoAudit } from '../../src/mongo/audit.ts';
import { MongoBalanceSnapshots } from '../../src/mongo/balance-snapshots.ts';
import { Checkpoints } from '../../src/mongo/checkpoints.ts';
import { MongoJournalQueries } from '../../src/mongo/journal-queries.ts';
import { migrateUp } from '../../src/mongo/migrate.ts';
import { MongoPaymentsView } from '../../src/mongo/payments-view.ts';
import { trialBalance } from '../../src/mongo/trial-balance.ts';
import { Follower, firstBooks } from '../../src/payments/follower.ts';
import { PaymentsProjection } from '../../src/payments/payments-projection.ts';
import { verify } from '../../src/verification/verify.ts';
import { anAccount, aPayment } from '../support/commands.ts';
import { useDatabase } from '../support/database.ts';
import { addAccounts, allBlocks, startEngine } from '../support/engine.ts';
import { quietLog } from '../support/log.ts';

const BOOKS = 2;
const accounts: readonly Account[] = [
  ...Array.from({ length: BOOKS }, (_, book) => anAccount(`bank${book}`, { book, minBalance: null })),
  ...Array.from({ length: 10 }, (_, n) => anAccount(`a${n}`, { book: n % BOOKS, minBalance: null })),
  anAccount('yen', { book: 1, currency: 'JPY', minBalance: null }),
];

const database = useDatabase();
let engine: Engine;
let snapshots: MongoBalanceSnapshots;

beforeAll(async () => {
  await migrateUp(database.db);
  await addAccounts(database.db, accounts);
  engine = startEngine(database.db);
  snapshots = new MongoBalanceSnapshots(database.db);
});
afterAll(() => engine.stop());

let paid = 0;
/** Within each book and between them. */
async function payAround(count: number): Promise<void> {
  const payments = Array.from({ length: count }, () => {
    const n = paid++;
    return engine.submit(
      aPayment(n % 4 === 0 ? `bank${n % BOOKS}` : `a${n % 10}`, `a${(n * 7 + 3) % 10}`, BigInt(1 + n)),
    );
  });
  await Promise.all(payments);
}

/** Replayed from the journal by nothing but addition. */
async function balancesOfJournal(): Promise<Map<string, { posted: bigint; height: number }>> {
  const balances = new Map<string, { posted: bigint; height: number }>();
  for (const { height, entries } of await allBlocks(database.db, BOOKS)) {
    for (const { account, amount } of entries.flatMap(({ postings }) => postings)) {
      balances.set(account, { posted: (balances.get(account)?.posted ?? 0n) + amount, height });
    }
  }
  return balances;
}

async function keptBalances() {
  const kept = await database.db
    .collection<AccountDocument>(ACCOUNTS)
    .find({ balance: { $exists: true } })
    .toArray();
  return new Map(
    kept.map(({ _id, balance }) => [_id, { posted: balance!.posted, height: Number(balance!.height) }] as const),
  );
}

const catchUp = async (projection = snapshots) => {
  for (let book = 0; book < BOOKS; book++) while (!(await projection.advance(book)).isAtTip);
};

describe('balances kept with accounts', () => {
  it('are those of the journal after each round of payments, also when two processes write them at once', async () => {
    const other = new MongoBalanceSnapshots(database.db);
    for (let round = 0; round < 5; round++) {
      await payAround(23);
      await Promise.all([catchUp(), catchUp(other)]);
      expect(await keptBalances()).toEqual(await balancesOfJournal());
    }
  });

  it('never go back when an older stretch of the journal is taken in again', async () => {
    await payAround(23);
    await catchUp();
    const before = await keptBalances();
    await database.db.collection('checkpoints').updateMany({ _id: /^balances:/ as never }, { $set: { height: 1 } });
    await catchUp();
    expect(await keptBalances()).toEqual(before);
  });

  it('are made anew after they were cleared, and until then verification misses none', async () => {
    await payAround(5);
    await catchUp();
    await snapshots.clear();
    expect(await keptBalances()).toEqual(new Map());
    expect(await verify(new MongoAudit(database.db))).toMatchObject({ ok: true });
    await catchUp();
    expect(await keptBalances()).toEqual(await balancesOfJournal());
    expect(await verify(new MongoAudit(database.db))).toMatchObject({ ok: true });
  });
});

describe('the trial balance', () => {
  const expected = async () => {
    const balances = [...(await balancesOfJournal()).values()].map(({ posted }) => posted);
    const total = (sign: number) => balances.filter((one) => Number(one) * sign > 0).reduce((a, b) => a + b, 0n);
    const system = await database.db.collection(ACCOUNTS).countDocuments();
    return [
      { currency: 'EUR', debit: total(-1), credit: total(1), sum: 0n, accounts: system - 1 },
      { currency: 'JPY', debit: 0n, credit: 0n, sum: 0n, accounts: 1 },
    ];
  };

  it('is the same however far the balances kept with accounts go', async () => {
    await snapshots.clear();
    await payAround(23);
    expect(await trialBalance(database.db)).toEqual(await expected());
    await snapshots.advance(1);
    expect(await trialBalance(database.db)).toEqual(await expected());
    await payAround(23);
    expect(await trialBalance(database.db)).toEqual(await expected());
    await catchUp();
    expect(await trialBalance(database.db)).toEqual(await expected());
  });

  it('is zero at every moment while payments are posted and balances are written', async () => {
    let isPaying = true;
    const payers = Array.from({ length: 4 }, async () => {
      while (isPaying) await payAround(7);
    });
    const writer = (async () => {
      while (isPaying) await catchUp();
    })();
    const seen = new Set<bigint>();
    for (let i = 0; i < 30; i++) {
      const [euros] = await trialBalance(database.db);
      expect(euros).toMatchObject({ currency: 'EUR', sum: 0n, debit: -euros!.credit });
      seen.add(euros!.credit);
    }
    isPaying = false;
    await Promise.all([...payers, writer]);
    expect(seen.size).toBeGreaterThan(5);
    expect(await trialBalance(database.db)).toEqual(await expected());
  });
});

describe('a checkpoint', () => {
  let checkpoints: Checkpoints;
  beforeEach(async () => {
    checkpoints = new Checkpoints(database.db, 'payments');
    await checkpoints.restart(async () => undefined);
  });
  const height = async () => (await checkpoints.position(7)).height;

  it('moves on from where its writer knows everything to be there, and never back', async () => {
    const first = await checkpoints.position(7);
    await checkpoints.moveOn(7, first, 10);
    await checkpoints.moveOn(7, first, 6);
    expect(await height()).toBe(10);
    await checkpoints.moveOn(7, { ...first, height: 11 }, 12);
    expect(await height()).toBe(10);
    await checkpoints.moveOn(7, await checkpoints.position(7), 12);
    expect(await height()).toBe(12);
  });

  it('does not count what was written before it was cleared, nor what was written while it was', async () => {
    const before = await checkpoints.position(7);
    let during = before;
    await checkpoints.restart(async () => {
      during = await checkpoints.position(7);
      await checkpoints.moveOn(7, during, 3);
    });
    expect(await height()).toBe(0);
    await checkpoints.moveOn(7, before, 5);
    await checkpoints.moveOn(7, during, 5);
    expect(await height()).toBe(0);
  });

  it('of before there were epochs goes on', async () => {
    await database.db.collection('checkpoints').insertOne({ _id: 'payments:8' as never, height: 4 });
    await checkpoints.moveOn(8, await checkpoints.position(8), 9);
    expect(await checkpoints.heights([8, 9])).toEqual(new Map([[8, 9]]));
  });
});

describe('a follower', () => {
  it('takes in everything, goes on after an error, and tells how far it is behind', async () => {
    await new MongoPaymentsView(database.db).clear();
    const projection = new PaymentsProjection(new MongoJournalQueries(database.db), new MongoPaymentsView(database.db));
    let failures = 2;
    const follower = new Follower({
      name: 'the list',
      projection: {
        advance: async (book) => {
          if (failures-- > 0) throw new Error('planted');
          return await projection.advance(book);
        },
        clear: () => projection.clear(),
      },
      books: firstBooks(BOOKS),
      log: quietLog,
      isOurs: () => true,
      pollMs: 20,
    });
    expect(follower.lagMs()).toBe(0);
    follower.start();
    await payAround(40);
    const ids = (await allBlocks(database.db, BOOKS))
      .flatMap(({ entries }) => entries.filter(({ span }) => span === undefined || span.legs !== undefined))
      .map(({ id }) => id.replace('txn_', 'pay_'));
    await expect.poll(() => new MongoPaymentsView(database.db).count()).toBe(ids.length);
    await expect.poll(() => follower.lagMs()).toBeLessThan(1_000);
    await follower.stop();
    const now = Date.now();
    expect(follower.lagMs(now + 5_000)).toBeGreaterThan(5_000);
  });
});

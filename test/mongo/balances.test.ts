import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../src/ledger/engine.ts';
import type { Account, Balance } from '../../src/ledger/types.ts';
import { MongoBalanceSnapshots } from '../../src/mongo/balance-snapshots.ts';
import { MongoBalances } from '../../src/mongo/balances.ts';
import { Checkpoints } from '../../src/mongo/checkpoints.ts';
import { MongoJournalQueries } from '../../src/mongo/journal-queries.ts';
import { migrateUp } from '../../src/mongo/migrate.ts';
import { trialBalance } from '../../src/mongo/trial-balance.ts';
import { balanceSums, balancesOf } from '../../src/payments/balances.ts';
import type { BalanceSum } from '../../src/payments/types.ts';
import { anAccount, aPayment } from '../support/commands.ts';
import { useDatabase } from '../support/database.ts';
import { addAccounts, startEngine } from '../support/engine.ts';
import { withPlans } from '../support/plans.ts';
import { randomFrom } from '../verification/random-model.ts';

const below = randomFrom(4711);
const pick = <T>(of: readonly T[]) => of[below(of.length)]!;
const BOOKS = 3;
const CURRENCIES = ['EUR', 'SEK'];
/** Among them what would be a pattern, what is longer or shorter, and what sorts right before and after. */
const STEMS = ['user:4', 'user:42', 'user:42:', 'user.42:', 'userx42:', 'user:42_', 'user:43:', 'a', 'Z', 'user:42:z.'];

const database = useDatabase();
let engine: Engine;
let accounts: Account[];
/** What each of them holds: the model. */
const model = new Map<string, bigint>();

async function payAtRandom(count: number): Promise<void> {
  await Promise.all(
    Array.from({ length: count }, async () => {
      const currency = pick(CURRENCIES);
      const its = accounts.filter((one) => one.currency === currency);
      const [from, to, amount] = [pick(its), pick(its), BigInt(1 + below(1_000))];
      if (from.id === to.id) return;
      const payment = aPayment(from.id, to.id, amount);
      const legs = payment.legs.map((leg) => ({ ...leg, currency }));
      const { entry } = await engine.submit({ ...payment, legs });
      if (entry.rejection) return;
      model.set(from.id, (model.get(from.id) ?? 0n) - amount);
      model.set(to.id, (model.get(to.id) ?? 0n) + amount);
    }),
  );
}

beforeAll(async () => {
  await migrateUp(database.db);
  const ids = new Set(Array.from({ length: 120 }, () => `${pick(STEMS)}${below(2) === 0 ? '' : below(30)}`));
  accounts = [...ids].map((id) =>
    anAccount(id, { book: below(BOOKS), currency: pick(CURRENCIES), minBalance: below(3) === 0 ? 0n : null }),
  );
  await addAccounts(database.db, accounts);
  engine = startEngine(database.db);
});
afterAll(() => engine?.stop(1_000));

function modelSums(prefix: string, groupOf: (id: string) => string): BalanceSum[] {
  const sums = new Map<string, BalanceSum>();
  for (const { id, currency } of accounts.filter((one) => one.id.startsWith(prefix))) {
    const key = `${groupOf(id)} ${currency}`;
    const none = { prefix: groupOf(id), currency, accounts: 0, posted: 0n, held: 0n, available: 0n };
    const sum = sums.get(key) ?? none;
    const posted = sum.posted + (model.get(id) ?? 0n);
    sums.set(key, { ...sum, accounts: sum.accounts + 1, posted, available: posted });
  }
  return [...sums].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, sum]) => sum);
}

const positive = (amount = 0n) => (amount > 0n ? amount : 0n);

const snapshots = async () => {
  const projection = new MongoBalanceSnapshots(database.db);
  for (let book = 0; book < BOOKS; book++) while (!(await projection.advance(book)).isAtTip);
};

describe('the sums of balances by prefix', () => {
  const PREFIXES = ['user:42:', 'user.42:', 'user:4', 'u', 'user:42:z.', 'Z', 'nobody', 'user:42:1'];

  it.each([
    ['before any were written behind', async () => undefined],
    ['when all were', snapshots],
    ['when some were, and some are behind', async () => undefined],
    ['when what was written behind is being made anew', async () => new MongoBalanceSnapshots(database.db).clear()],
    ['when it was made anew', snapshots],
  ])('are those of the model: %s', async (_when, prepare) => {
    await prepare();
    await payAtRandom(60);
    // Once by the blocks that the snapshots lack, and once by looking each account up.
    for (const queries of [new MongoBalances(database.db), new MongoBalances(database.db, -1)]) {
      for (const prefix of PREFIXES) {
        const { sums } = await balanceSums(queries, prefix);
        expect(sums, prefix).toEqual(modelSums(prefix, () => prefix));
      }
      const { sums } = await balanceSums(queries, 'user', 2);
      const twoParts = (id: string) => id.split(':').slice(0, 2).join(':') + (id.split(':').length > 2 ? ':' : '');
      expect(sums).toEqual(modelSums('user', twoParts));
    }
  });

  it('are right while kept balances are being removed that were counted as written', async () => {
    await new Checkpoints(database.db, 'balances').restart(async () => {
      await snapshots();
      await database.db.collection('accounts').updateMany({}, { $unset: { balance: 1 } });
      const { sums } = await balanceSums(new MongoBalances(database.db), 'user');
      expect(sums).toEqual(modelSums('user', () => 'user'));
      const total = accounts.reduce((sum, { id }) => sum + positive(model.get(id)), 0n);
      const credit = (await trialBalance(database.db)).reduce((sum, row) => sum + row.credit, 0n);
      expect(credit).toBeGreaterThanOrEqual(total);
    });
    await snapshots();
    expect(await database.db.collection('accounts').countDocuments({ balance: { $exists: true } })).toBeGreaterThan(0);
    const { sums } = await balanceSums(new MongoBalances(database.db), 'user');
    expect(sums).toEqual(modelSums('user', () => 'user'));
  });

  it('are refused beyond a number of accounts, and given up to it', async () => {
    const queries = new MongoBalances(database.db);
    const count = accounts.filter(({ id }) => id.startsWith('user')).length;
    expect(await queries.balancesBelow('user', count)).toHaveLength(count);
    expect(await queries.balancesBelow('user', count - 1)).toBeNull();
    const tooMany = { ...queries, balancesBelow: async () => null, balancesOf: async () => new Map() };
    await expect(balanceSums(tooMany, 'user')).rejects.toMatchObject({ code: 'too_many_accounts' });
  });

  it('are of one moment: what moves among them is counted once', async () => {
    const ids = ['m:1', 'm:2', 'm:3'];
    await addAccounts(
      database.db,
      ids.map((id, book) => anAccount(id, { book: book % 2, minBalance: null })),
    );
    // Within one book: between books money is for a moment on its way.
    const [one, other] = [ids[0]!, ids[2]!];
    let paying = true;
    const payers = Promise.all(
      Array.from({ length: 6 }, async () => {
        while (paying) await engine.submit(below(2) === 0 ? aPayment(one, other, 5n) : aPayment(other, one, 7n));
      }),
    );
    const queries = new MongoBalances(database.db);
    const follower = (async () => {
      while (paying) await snapshots();
    })();
    const seen = new Set<bigint>();
    try {
      for (let i = 0; i < 60; i++) {
        const [sum] = (await balanceSums(queries, 'm:')).sums;
        expect(sum).toMatchObject({ posted: 0n, accounts: 3 });
        const { balances } = await balancesOf(queries, ids);
        expect(balances.reduce((total, { posted }) => total + posted, 0n)).toBe(0n);
        seen.add(balances[0]!.posted);
      }
    } finally {
      paying = false;
      await Promise.all([payers, follower]);
    }
    expect(seen.size).toBeGreaterThan(5);
  });
});

describe('the balances of many accounts', () => {
  it('come in the order asked for, as each is read by itself, and the unknown apart', async () => {
    const journal = new MongoJournalQueries(database.db);
    const asked = ['nobody', ...accounts.map(({ id }) => id).reverse(), 'nobody', accounts[0]!.id, 'no one'];
    const { balances, unknown } = await balancesOf(new MongoBalances(database.db), asked);
    const sought = await balancesOf(new MongoBalances(database.db, -1), asked);
    const plain = (some: typeof balances) => some.map(({ asOf: _, at: __, ...rest }) => rest);
    expect(plain(sought.balances)).toEqual(plain(balances));
    expect(unknown).toEqual(['nobody', 'no one']);
    expect(balances.map(({ account }) => account)).toEqual(asked.filter((id) => !unknown.includes(id)));
    const each = await journal.balances(asked);
    for (const { account, currency, posted, held, height, available } of balances) {
      const own = each.get(account) ?? { posted: 0n, held: 0n, height: 0 };
      expect({ posted, held, height }).toEqual({ posted: own.posted, held: own.held, height: own.height });
      expect(available).toBe(posted - held);
      expect(posted).toBe(model.get(account) ?? 0n);
      expect(currency).toBe(accounts.find(({ id }) => id === account)!.currency);
    }
  });

  it('of a time are those of each account by then', async () => {
    const journal = new MongoJournalQueries(database.db);
    const blocks = (await Promise.all([0, 1, 2].map((book) => journal.read(book, 1, 10_000)))).flat();
    const times = [0, ...blocks.map(({ at }) => at).filter((_, i) => i % 9 === 0), Date.now() + 60_000];
    for (const time of times) {
      const { balances } = await balancesOf(
        new MongoBalances(database.db),
        accounts.map(({ id }) => id),
        new Date(time),
      );
      const expected = new Map<string, Pick<Balance, 'posted'>>();
      for (const block of blocks.filter(({ at }) => at <= time)) {
        for (const posting of block.entries.flatMap(({ postings }) => postings)) expected.set(posting.account, posting);
      }
      for (const one of balances) expect(one.posted).toBe(expected.get(one.account)?.posted ?? 0n);
    }
  });

  it('take few commands, each from an index', async () => {
    const asked = accounts.map(({ id }) => id);
    const now = await withPlans(database.name, (db) => new MongoBalances(db).balancesOf(asked));
    expect(now.plans.length).toBeLessThanOrEqual(3 + 3 * BOOKS);
    const summed = await withPlans(database.name, (db) => new MongoBalances(db).balancesBelow('user:42', 1_000));
    expect(summed.plans.length).toBeLessThanOrEqual(3 + 3 * BOOKS);
    for (const { command, scans, indexes } of [...now.plans, ...summed.plans]) {
      // A look at any account tells the time.
      if (command.filter && Object.keys(command.filter).length === 0) expect(command.limit).toBe(1);
      else expect(scans, indexes.join()).toBe(0);
    }
  });
});

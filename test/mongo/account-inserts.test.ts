import { MongoNetworkError, MongoServerError } from 'mongodb';
import { describe, expect, it } from 'vitest';
import { AccountInserts } from '../../src/mongo/account-inserts.ts';
import { ACCOUNTS, type AccountDocument } from '../../src/mongo/accounts.ts';
import { migrateUp } from '../../src/mongo/migrate.ts';
import { useDatabase } from '../support/database.ts';

const database = useDatabase();

function account(id: string, overrides: Partial<AccountDocument> = {}): AccountDocument {
  const limits = { min_balance: 0n, max_balance: null };
  return { _id: id, book: 0, currency: 'EUR', ...limits, metadata: {}, created_at: new Date(), ...overrides };
}

function collection() {
  return database.db.collection<AccountDocument>(ACCOUNTS);
}

describe('accounts that are inserted at once', () => {
  it('are written together while others are being written, and each once', async () => {
    await migrateUp(database.db);
    let looks = 0;
    const inserts = new AccountInserts(collection(), async (book) => {
      looks++;
      return book;
    });
    const ids = Array.from({ length: 2_500 }, (_, index) => `together:${index}`);
    const answers = await Promise.all(ids.map((id, index) => inserts.insert(account(id, { book: index % 2 }))));
    expect(answers.every((isNew) => isNew)).toBe(true);
    expect(await collection().countDocuments({ _id: { $in: ids } })).toBe(2_500);
    expect(await collection().countDocuments({ _id: { $in: ids }, $expr: { $eq: ['$era', '$book'] } })).toBe(2_500);
    // The first alone, then the others by the thousand, each time the era of each book once.
    expect(looks).toBe(1 + 3 * 2);
  });

  it('are new for one only of those who want the same, and for none when it was there before', async () => {
    const inserts = new AccountInserts(collection(), async () => 0);
    const answers = await Promise.all(Array.from({ length: 20 }, () => inserts.insert(account('wanted'))));
    expect(answers.filter((isNew) => isNew)).toHaveLength(1);
    expect(await inserts.insert(account('wanted'))).toBe(false);
  });

  it('do not fail because of another that cannot be sent', async () => {
    const inserts = new AccountInserts(collection(), async () => 0);
    const circle: Record<string, unknown> = {};
    circle.again = circle;
    const broken = account('broken', { metadata: circle as Record<string, string> });
    const [first, ...rest] = await Promise.allSettled([
      inserts.insert(account('before')),
      inserts.insert(account('beside:1')),
      inserts.insert(broken),
      inserts.insert(account('beside:2')),
    ]);
    expect([first, rest[0], rest[2]].map((one) => one?.status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled']);
    expect(rest[1]?.status).toBe('rejected');
    expect(await collection().countDocuments({ _id: { $in: ['before', 'beside:1', 'beside:2'] } })).toBe(3);
  });

  it('do not fail because of another that the server refuses', async () => {
    const inserts = new AccountInserts(collection(), async () => 0);
    const large = account('large', { metadata: { much: 'x'.repeat(17 * 2 ** 20) } });
    const answers = await Promise.allSettled([
      inserts.insert(account('small:1')),
      inserts.insert(large),
      inserts.insert(account('small:2')),
    ]);
    expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  });

  it('are unknown, all of them, when the answer is lost, and those after them are written', async () => {
    let isLost = true;
    const inserts = new AccountInserts(collection(), async () => {
      if (isLost) throw new MongoNetworkError('the connection was lost');
      return 0;
    });
    const lost = await Promise.allSettled([inserts.insert(account('lost:1')), inserts.insert(account('lost:2'))]);
    expect(lost.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    isLost = false;
    expect(await inserts.insert(account('lost:1'))).toBe(true);
  });

  it('are refused with the fault of the server when it says why', async () => {
    const capped = database.db.collection<AccountDocument>('checked_accounts');
    await database.db.createCollection('checked_accounts', { validator: { currency: 'EUR' } });
    const inserts = new AccountInserts(capped, async () => 0);
    await expect(inserts.insert(account('krone', { currency: 'NOK' }))).rejects.toBeInstanceOf(MongoServerError);
  });
});

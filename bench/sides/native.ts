import type { MongoClient } from 'mongodb';
import { uuidv7 } from 'uuidv7';
import type { Side } from '../side.ts';
import { ACCOUNTS, accountId, type Transfer } from '../workload.ts';

interface AccountDocument {
  _id: string;
  balance: bigint;
}

const OPTIONS = {
  readConcern: { level: 'snapshot' },
  writeConcern: { w: 'majority', journal: true },
  readPreference: 'primary',
} as const;

/**
 * What MongoDB's manual shows: a multi-document transaction a transfer, with the driver's own retries. It does what the
 * engine does: a unique key, a check of funds, both balances, an entry.
 */
export async function nativeTransactions(client: MongoClient, database: string): Promise<Side> {
  const db = client.db(database);
  const accounts = db.collection<AccountDocument>('native_accounts');
  const entries = db.collection('native_entries');
  const keys = db.collection<{ _id: string }>('native_keys');
  await Promise.all([entries.createIndex({ source: 1, at: 1 }), entries.createIndex({ destination: 1, at: 1 })]);
  await db.createCollection('native_keys').catch(() => undefined);
  await accounts.insertMany(
    Array.from({ length: ACCOUNTS }, (_, i) => ({ _id: accountId(i), balance: 1_000_000_000n })),
  );

  const once = async ({ source, destination, amount }: Transfer) => {
    await client.withSession((session) =>
      session.withTransaction(async () => {
        await keys.insertOne({ _id: uuidv7() }, { session });
        const enough = { _id: source, balance: { $gte: amount } };
        const taken = await accounts.updateOne(enough, { $inc: { balance: -amount } }, { session });
        if (taken.matchedCount !== 1) throw new Error('insufficient funds');
        await accounts.updateOne({ _id: destination }, { $inc: { balance: amount } }, { session });
        await entries.insertOne({ source, destination, amount, currency: 'EUR', at: new Date() }, { session });
      }, OPTIONS),
    );
  };
  return {
    name: 'native multi-document transactions',
    transfer: async (transfers) => {
      await Promise.all(transfers.map(once));
    },
    close: async () => undefined,
  };
}

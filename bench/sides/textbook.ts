import type { MongoClient } from 'mongodb';
import { uuidv7 } from 'uuidv7';
import type { Side } from '../side.ts';
import { ACCOUNTS, accountId, type Transfer } from '../workload.ts';

interface AccountDocument {
  _id: string;
  balance: bigint;
  pending: string[];
}

/**
 * The two-phase commit of MongoDB's old manual ("Perform Two Phase Commits"), a transfer at a time: seven majority
 * writes, one after the other.
 */
export async function textbookTwoPhaseCommit(client: MongoClient, database: string): Promise<Side> {
  const db = client.db(database);
  const accounts = db.collection<AccountDocument>('textbook_accounts');
  const transactions = db.collection<{ _id: string; state: string } & Transfer>('textbook_transactions');
  await transactions.createIndex({ state: 1 });
  await accounts.insertMany(
    Array.from({ length: ACCOUNTS }, (_, i) => ({ _id: accountId(i), balance: 1_000_000_000n, pending: [] })),
  );
  const once = async (transfer: Transfer) => {
    const { source, destination, amount } = transfer;
    const _id = uuidv7();
    const move = (state: string) => transactions.updateOne({ _id }, { $set: { state } });
    await transactions.insertOne({ _id, state: 'pending', ...transfer });
    await accounts.updateOne(
      { _id: source, pending: { $ne: _id }, balance: { $gte: amount } },
      { $inc: { balance: -amount }, $push: { pending: _id } },
    );
    await accounts.updateOne(
      { _id: destination, pending: { $ne: _id } },
      { $inc: { balance: amount }, $push: { pending: _id } },
    );
    await move('applied');
    await accounts.updateOne({ _id: source }, { $pull: { pending: _id } });
    await accounts.updateOne({ _id: destination }, { $pull: { pending: _id } });
    await move('done');
  };
  return {
    name: 'textbook two-phase commit',
    transfer: async (transfers) => {
      await Promise.all(transfers.map(once));
    },
    close: async () => undefined,
  };
}

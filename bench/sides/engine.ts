import type { MongoClient } from 'mongodb';
import { Engine } from '../../src/ledger/engine.ts';
import type { Log } from '../../src/ledger/ports.ts';
import { type AccountDocument, MongoAccounts } from '../../src/mongo/accounts.ts';
import { MongoClaims } from '../../src/mongo/claims.ts';
import { MongoJournal } from '../../src/mongo/journal.ts';
import { migrateUp } from '../../src/mongo/migrate.ts';
import type { Side } from '../side.ts';
import { ACCOUNTS, accountId, commandOf } from '../workload.ts';

const INSERT_AT_ONCE = 10_000;

/** Accounts that may go below zero: every transfer is posted, as with the other sides. */
export async function addBenchAccounts(accounts: MongoAccounts, books = 1, count = ACCOUNTS): Promise<void> {
  for (let from = 0; from < count; from += INSERT_AT_ONCE) {
    const length = Math.min(INSERT_AT_ONCE, count - from);
    await accounts.collection.insertMany(
      Array.from({ length }, (_, i) => accountDocument(accountId(from + i), (from + i) % books)),
    );
  }
}

function accountDocument(_id: string, book: number): AccountDocument {
  const limits = { min_balance: -1_000_000_000_000n, max_balance: null };
  return { _id, book, currency: 'EUR', ...limits, metadata: {}, created_at: new Date() };
}

/** The engine in this process; opens so many accounts. With several books they are spread over them in turn. */
export async function engineInProcess(
  client: MongoClient,
  database: string,
  log: Log,
  books = 1,
  count = ACCOUNTS,
): Promise<Side> {
  const db = client.db(database);
  await migrateUp(db);
  const accounts = new MongoAccounts(db);
  await addBenchAccounts(accounts, books, count);
  const engine = new Engine({ journal: new MongoJournal(db), claims: new MongoClaims(db), accounts, log });
  engine.start();
  return {
    name: books === 1 ? 'the engine' : `the engine, ${books} books`,
    transfer: async (transfers) => {
      for (const { entry } of await Promise.all(transfers.map((transfer) => engine.submit(commandOf(transfer))))) {
        if (entry.kind === 'rejected') throw new Error(`${entry.id} was rejected: ${entry.rejection?.reason}`);
      }
    },
    close: () => engine.stop(),
  };
}

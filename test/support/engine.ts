import type { Db } from 'mongodb';
import { Engine, type EngineDeps } from '../../src/ledger/engine.ts';
import type { Claim } from '../../src/ledger/ports.ts';
import type { Account, StoredBlock } from '../../src/ledger/types.ts';
import { MongoAccounts } from '../../src/mongo/accounts.ts';
import { type ClaimDocument, decodeClaim } from '../../src/mongo/claim-codec.ts';
import { CLAIMS, MongoClaims } from '../../src/mongo/claims.ts';
import { MongoJournal } from '../../src/mongo/journal.ts';
import { quietLog } from './log.ts';

export function portsOver(db: Db) {
  return { journal: new MongoJournal(db), claims: new MongoClaims(db), accounts: new MongoAccounts(db) };
}

/** An engine over a real database, started; the test stops it. */
export function startEngine(db: Db, deps: Partial<EngineDeps> = {}): Engine {
  const engine = new Engine({ ...portsOver(db), log: quietLog, ...deps });
  engine.start();
  return engine;
}

export async function addAccounts(db: Db, accounts: readonly Account[]): Promise<void> {
  await new MongoAccounts(db).collection.insertMany(
    accounts.map(({ id, book, currency, minBalance, maxBalance }) => ({
      _id: id,
      book,
      currency,
      min_balance: minBalance,
      max_balance: maxBalance,
      metadata: {},
      created_at: new Date(),
    })),
  );
}

/** Every claim, whatever its state. */
export async function allClaims(db: Db): Promise<Claim[]> {
  return (await db.collection<ClaimDocument>(CLAIMS).find().toArray()).map(decodeClaim);
}

/** Every block of the books from 0 to below `books`. */
export async function allBlocks(db: Db, books: number): Promise<StoredBlock[]> {
  const journal = new MongoJournal(db);
  const ofBooks = await Promise.all(Array.from({ length: books }, (_, book) => journal.read(book, 1, 1_000_000)));
  return ofBooks.flat();
}

import type { Collection, Db } from 'mongodb';
import type { AccountsPort } from '../ledger/ports.ts';
import type { Account } from '../ledger/types.ts';

export const ACCOUNTS = 'accounts';

/**
 * `{_id, book, currency, min_balance, max_balance, metadata, created_at, era?, changes?, version?, balance?}`; limits in
 * minor units as the account was opened, null: none. `era`: no block of an earlier one posts to the account; absent: 0.
 * `changes`: the journal may hold changes of its limits and status; never unset.
 * `version`: how often its metadata was changed; absent: never.
 * `balance` is written behind and decides nothing: see `MongoBalanceSnapshots`.
 */
export interface AccountDocument {
  _id: string;
  book: number;
  currency: string;
  min_balance: bigint | null;
  max_balance: bigint | null;
  metadata: Record<string, string>;
  created_at: Date;
  era?: number;
  changes?: true;
  version?: number;
  balance?: { posted: bigint; held: bigint; height: bigint };
}

/** Who the accounts are. What they hold is in the journal. */
export class MongoAccounts implements AccountsPort {
  readonly collection: Collection<AccountDocument>;

  constructor(db: Db) {
    this.collection = db.collection(ACCOUNTS);
  }

  async load(ids: readonly string[]): Promise<Account[]> {
    const projection = { book: 1, currency: 1, min_balance: 1, max_balance: 1 };
    const documents = await this.collection.find({ _id: { $in: [...ids] } }, { projection }).toArray();
    return documents.map(accountOf);
  }

  async ensure(accounts: readonly Account[]): Promise<void> {
    const created_at = new Date();
    await this.collection.bulkWrite(
      accounts.map(({ id, book, currency, minBalance, maxBalance }) => {
        const fields = { book, currency, min_balance: minBalance, max_balance: maxBalance, metadata: {}, created_at };
        return { updateOne: { filter: { _id: id }, update: { $setOnInsert: fields }, upsert: true } };
      }),
      { ordered: false },
    );
  }

  async announceChanges(ids: readonly string[]): Promise<void> {
    await this.collection.updateMany({ _id: { $in: [...ids] } }, { $set: { changes: true } });
  }
}

export function accountOf({ _id, book, currency, min_balance, max_balance }: AccountDocument): Account {
  return { id: _id, book, currency, minBalance: min_balance, maxBalance: max_balance };
}

/** The condition of ids that begin with a text: a range of the index. Ids are plain ASCII, so there is a next character. */
export function beginningWith(prefix: string): { $gte: string; $lt: string } {
  const last = prefix.charCodeAt(prefix.length - 1);
  return { $gte: prefix, $lt: prefix.slice(0, -1) + String.fromCharCode(last + 1) };
}

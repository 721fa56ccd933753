import { type Collection, type Db, MongoServerError } from 'mongodb';
import type { AccountsStore } from '../payments/ports.ts';
import type { AccountView, Page, PageQuery } from '../payments/types.ts';
import { ACCOUNTS, type AccountDocument, accountOf } from './accounts.ts';
import { MongoJournal } from './journal.ts';

const DUPLICATE_KEY = 11000;

/** Accounts as their users see them. */
export class MongoAccountsStore implements AccountsStore {
  readonly #accounts: Collection<AccountDocument>;
  readonly #journal: MongoJournal;

  constructor(db: Db) {
    this.#accounts = db.collection(ACCOUNTS);
    this.#journal = new MongoJournal(db);
  }

  async insert(account: AccountView): Promise<{ account: AccountView; created: boolean }> {
    try {
      const era = await this.#journal.era(account.book);
      await this.#accounts.insertOne({ ...documentOf(account), era });
      return { account, created: true };
    } catch (error) {
      if (!(error instanceof MongoServerError) || error.code !== DUPLICATE_KEY) throw error;
    }
    const found = await this.get(account.id);
    if (!found) throw new Error(`account ${account.id} was just found taken, and is not there`);
    return { account: found, created: false };
  }

  async get(id: string): Promise<AccountView | null> {
    const document = await this.#accounts.findOne({ _id: id });
    return document && viewOf(document);
  }

  async list({ limit, startingAfter, endingBefore }: PageQuery): Promise<Page<AccountView> | null> {
    const cursor = startingAfter ?? endingBefore;
    const newer = endingBefore !== undefined;
    let filter = {};
    if (cursor !== undefined) {
      const from = await this.#accounts.findOne({ _id: cursor }, { projection: { created_at: 1 } });
      if (!from) return null;
      const beyond = newer ? '$gt' : '$lt';
      filter = {
        $or: [
          { created_at: { [beyond]: from.created_at } },
          { created_at: from.created_at, _id: { [beyond]: cursor } },
        ],
      };
    }
    const order = newer ? 1 : -1;
    const found = await this.#accounts
      .find(filter)
      .sort({ created_at: order, _id: order })
      .limit(limit + 1)
      .toArray();
    const data = found.slice(0, limit).map(viewOf);
    return { data: newer ? data.reverse() : data, hasMore: found.length > limit };
  }
}

function documentOf(account: AccountView): AccountDocument {
  const { id, book, currency, minBalance, maxBalance, metadata, createdAt } = account;
  return {
    _id: id,
    book,
    currency,
    min_balance: minBalance,
    max_balance: maxBalance,
    metadata,
    created_at: createdAt,
  };
}

function viewOf(document: AccountDocument): AccountView {
  const { metadata, created_at } = document;
  return { ...accountOf(document), metadata, createdAt: created_at };
}

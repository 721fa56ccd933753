import type { Collection, Db, Filter } from 'mongodb';
import type { AccountsStore, OpenedAccount } from '../payments/ports.ts';
import type { AccountChange, AccountView, Page, PageQuery } from '../payments/types.ts';
import { AccountInserts } from './account-inserts.ts';
import { ACCOUNTS, type AccountDocument, accountOf, beginningWith } from './accounts.ts';
import { MongoJournal } from './journal.ts';

/** Accounts as their users see them. */
export class MongoAccountsStore implements AccountsStore {
  readonly #accounts: Collection<AccountDocument>;
  readonly #inserts: AccountInserts;

  constructor(db: Db) {
    this.#accounts = db.collection(ACCOUNTS);
    const journal = new MongoJournal(db);
    this.#inserts = new AccountInserts(this.#accounts, (book) => journal.era(book));
  }

  async insert(account: AccountView): Promise<{ account: AccountView; created: boolean }> {
    if (await this.#inserts.insert(documentOf(account))) return { account, created: true };
    const found = await this.get(account.id);
    if (!found) throw new Error(`account ${account.id} was just found taken, and is not there`);
    return { account: found, created: false };
  }

  async get(id: string): Promise<OpenedAccount | null> {
    const document = await this.#accounts.findOne({ _id: id });
    return document && viewOf(document);
  }

  async find(ids: readonly string[]): Promise<Map<string, OpenedAccount>> {
    const documents = await this.#accounts.find({ _id: { $in: [...ids] } }).toArray();
    return new Map(documents.map((document) => [document._id, viewOf(document)]));
  }

  async list(page: PageQuery, prefix?: string): Promise<Page<OpenedAccount> | null> {
    if (prefix !== undefined) return this.#listByPrefix(page, prefix);
    const { limit, startingAfter, endingBefore } = page;
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

  /** In the order of their ids. A cursor is a place in that order: no account need have it. */
  async #listByPrefix({ limit, startingAfter, endingBefore }: PageQuery, prefix: string): Promise<Page<OpenedAccount>> {
    const isBack = endingBefore !== undefined;
    const bounds: Filter<AccountDocument>[] = [{ _id: beginningWith(prefix) }];
    if (startingAfter !== undefined) bounds.push({ _id: { $gt: startingAfter } });
    if (endingBefore !== undefined) bounds.push({ _id: { $lt: endingBefore } });
    const found = await this.#accounts
      .find({ $and: bounds })
      .sort({ _id: isBack ? -1 : 1 })
      .limit(limit + 1)
      .toArray();
    const data = found.slice(0, limit).map(viewOf);
    return { data: isBack ? data.reverse() : data, hasMore: found.length > limit };
  }

  async update(
    id: string,
    change: (account: OpenedAccount) => AccountChange | Promise<AccountChange>,
  ): Promise<OpenedAccount | null> {
    for (;;) {
      const document = await this.#accounts.findOne({ _id: id });
      if (!document) return null;
      const { version = 0 } = document;
      const isSame = version === 0 ? { version: { $exists: false } } : { version };
      const { metadata } = await change(viewOf(document));
      const update = { $set: { metadata, version: version + 1 } };
      const changed = await this.#accounts.findOneAndUpdate({ _id: id, ...isSame }, update, {
        returnDocument: 'after',
      });
      // Unless somebody else was first: then it is for the caller to say what is to become of what they made of it.
      if (changed) return viewOf(changed);
    }
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

function viewOf(document: AccountDocument): OpenedAccount {
  const { metadata, created_at, changes = false } = document;
  return { ...accountOf(document), status: 'open', metadata, createdAt: created_at, mayHaveChanged: changes };
}

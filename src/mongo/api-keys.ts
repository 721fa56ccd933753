import type { Collection, Db } from 'mongodb';

/** `_id` is the SHA-256 of the key in hex: the key itself is never stored. */
interface ApiKeyDocument {
  _id: string;
  name: string;
  scopes: string[];
  created_at: Date;
  expires_at: Date | null;
  revoked_at: Date | null;
}

export interface StoredApiKey {
  readonly hash: string;
  /** The client: idempotency keys are scoped to it. */
  readonly client: string;
  readonly scopes: readonly string[];
  readonly expiresAt: Date | null;
  readonly revokedAt: Date | null;
}

export class MongoApiKeys {
  readonly #keys: Collection<ApiKeyDocument>;

  constructor(db: Db) {
    this.#keys = db.collection('api_keys');
  }

  async find(hash: string): Promise<StoredApiKey | null> {
    const found = await this.#keys.findOne({ _id: hash });
    return found && keyOf(found);
  }

  /** False: the key is there already, and stays as it is. */
  async add({ hash, client, scopes, expiresAt }: Omit<StoredApiKey, 'revokedAt'>): Promise<boolean> {
    const fields = { name: client, scopes: [...scopes], expires_at: expiresAt, revoked_at: null };
    const { upsertedCount } = await this.#keys.updateOne(
      { _id: hash },
      { $setOnInsert: { ...fields, created_at: new Date() } },
      { upsert: true },
    );
    return upsertedCount > 0;
  }

  async list(): Promise<StoredApiKey[]> {
    return (await this.#keys.find().sort({ created_at: 1 }).limit(1000).toArray()).map(keyOf);
  }

  /** By the first digits of its hash, all of which it answers. Null: there is no such key, or more than one. */
  async revoke(hashPrefix: string): Promise<string | null> {
    const found = await this.#keys
      .find({ _id: { $gte: hashPrefix, $lt: `${hashPrefix}g` } })
      .limit(2)
      .toArray();
    if (found.length !== 1) return null;
    const { _id } = found[0]!;
    await this.#keys.updateOne({ _id }, { $set: { revoked_at: new Date() } });
    return _id;
  }
}

function keyOf({ _id, name, scopes, expires_at, revoked_at }: ApiKeyDocument): StoredApiKey {
  return { hash: _id, client: name, scopes, expiresAt: expires_at, revokedAt: revoked_at };
}

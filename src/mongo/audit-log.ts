import type { Collection, Db } from 'mongodb';
import { uuidv7 } from 'uuidv7';
import type { StoredApiKey } from './api-keys.ts';

const KEY_ID_DIGITS = 16;

type AuditAction =
  | 'key_created'
  | 'key_revoked'
  | 'claims_recovered'
  | 'read_models_rebuilt'
  | 'schema_migrated'
  | 'reconciliation_started'
  | 'break_assigned'
  | 'break_commented'
  | 'break_resolved'
  | 'webhook_endpoint_created'
  | 'webhook_endpoint_removed'
  | 'webhook_secret_rotated'
  | 'webhook_endpoint_enabled'
  | 'webhook_endpoint_disabled'
  | 'webhook_redelivered'
  | 'dead_letters_redriven'
  | 'dead_letters_dropped';

/** Something that an operator did. `details` holds no secret: a key is named by the beginning of its hash. */
interface AuditEntry {
  readonly at: Date;
  /** Who did it, as the machine knows them: `user@host`; over HTTP the client of their key: `client <name>`. */
  readonly actor: string;
  readonly action: AuditAction;
  /** What it was done to. */
  readonly target: string;
  readonly details: Readonly<Record<string, unknown>>;
}

interface StoredAuditEntry extends AuditEntry {
  readonly id: string;
}

type AuditDocument = AuditEntry & { _id: string };

/**
 * What operators did, oldest first. Append-only: nothing here changes or removes an entry, and the database may refuse it
 * too, see docs/security.md.
 */
export class MongoAuditLog {
  readonly #entries: Collection<AuditDocument>;

  constructor(db: Db) {
    this.#entries = db.collection('audit');
  }

  /** Resolves when it is on a majority. */
  async record(entry: Omit<AuditEntry, 'at'>): Promise<void> {
    // Ids grow with time, and nobody chooses them.
    await this.#entries.insertOne({ _id: `aud_${uuidv7()}`, at: new Date(), ...entry });
  }

  /** The latest ones. */
  async list(limit: number): Promise<StoredAuditEntry[]> {
    const latest = await this.#entries.find().sort({ _id: -1 }).limit(limit).toArray();
    return latest.reverse().map(({ _id, ...entry }) => ({ id: _id, ...entry }));
  }
}

/** Nothing is recorded when nothing was applied. */
export async function auditMigration(db: Db, actor: string, applied: readonly string[]): Promise<void> {
  if (applied.length === 0) return;
  await new MongoAuditLog(db).record({ actor, action: 'schema_migrated', target: 'schema', details: { applied } });
}

export async function auditKeyCreated(
  db: Db,
  actor: string,
  { hash, client, scopes, expiresAt }: Omit<StoredApiKey, 'revokedAt'>,
): Promise<void> {
  const details = { client, scopes: [...scopes], expiresAt };
  await new MongoAuditLog(db).record({ actor, action: 'key_created', target: keyId(hash), details });
}

export async function auditKeyRevoked(db: Db, actor: string, hash: string): Promise<void> {
  await new MongoAuditLog(db).record({ actor, action: 'key_revoked', target: keyId(hash), details: {} });
}

function keyId(hash: string): string {
  return `key ${hash.slice(0, KEY_ID_DIGITS)}`;
}

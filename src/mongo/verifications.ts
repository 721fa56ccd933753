import type { Collection, Db } from 'mongodb';
import type { VerificationsPort, Verified, VerifiedTip, VerifyMode } from '../verification/ports.ts';

const VERIFICATIONS = 'verifications';
const LATEST = 'latest';

/**
 * `{_id: 'latest', mode, at, full_at, claims_since, books: [{book, height, hash, listed, snapshots}]}`; `hash` in hex. One document,
 * so that what is known of all books is of one run.
 */
interface VerificationDocument {
  _id: string;
  mode: VerifyMode;
  at: Date;
  full_at: Date;
  claims_since: Date;
  books: VerifiedTip[];
}

/** What verification found to be sound last. */
export class MongoVerifications implements VerificationsPort {
  readonly #verifications: Collection<VerificationDocument>;

  constructor(db: Db) {
    this.#verifications = db.collection(VERIFICATIONS);
  }

  async load(): Promise<Verified | null> {
    const found = await this.#verifications.findOne({ _id: LATEST });
    if (!found) return null;
    const { mode, at, full_at, claims_since, books } = found;
    const times = { at: at.getTime(), fullAt: full_at.getTime(), claimsSince: claims_since.getTime() };
    return { mode, ...times, books: books.map(tipOf) };
  }

  async save({ mode, at, fullAt, claimsSince, books }: Verified): Promise<void> {
    const times = { at: new Date(at), full_at: new Date(fullAt), claims_since: new Date(claimsSince) };
    const document = { mode, ...times, books: books.map(tipOf) };
    await this.#verifications.replaceOne({ _id: LATEST }, document, { upsert: true });
  }
}

function tipOf({ book, height, hash, listed, snapshots }: VerifiedTip): VerifiedTip {
  return { book, height, hash, listed, snapshots };
}

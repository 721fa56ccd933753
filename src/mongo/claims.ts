import type { Collection, Db } from 'mongodb';
import type { Claim, ClaimedCommand, ClaimResult, ClaimsPort } from '../ledger/ports.ts';
import { BUCKET, type ClaimDocument, decodeClaim, decodeClaimed, encodeClaim } from './claim-codec.ts';
import { WRITE_TIMEOUT_MS } from './client.ts';
import { insertRaw } from './raw-insert.ts';

export const CLAIMS = 'idempotency';

/** The idempotency collection: claims, unique by each of their keys, kept for ever. */
export class MongoClaims implements ClaimsPort {
  readonly #claims: Collection<ClaimDocument>;

  constructor(readonly db: Db) {
    this.#claims = db.collection(CLAIMS);
  }

  async insert(claim: Claim): Promise<ClaimResult> {
    const { ended } = await insertRaw(this.db, CLAIMS, [encodeClaim(claim)], WRITE_TIMEOUT_MS);
    return ended === 'done' ? 'inserted' : ended;
  }

  async findByKeys(keys: readonly string[]): Promise<ClaimedCommand[]> {
    const wanted = new Set(keys);
    const found: ClaimedCommand[] = [];
    // A claim may hold thousands of commands: only those that are asked for leave the server.
    const cursor = this.#claims.aggregate<ClaimDocument>([
      { $match: { bucket: BUCKET, keys: { $in: [...wanted] } } },
      { $set: { at_: indexesOf([...wanted]) } },
      { $set: { keys: elementsAt('$keys', '$at_'), commands: elementsAt('$commands', '$at_') } },
    ]);
    for await (const document of cursor) found.push(...decodeClaimed(document, wanted));
    return found;
  }

  async markDone(claimIds: readonly string[]): Promise<void> {
    await this.#claims.updateMany({ _id: { $in: [...claimIds] }, state: 'pending' }, { $set: { state: 'done' } });
  }

  async pending(limit: number): Promise<string[]> {
    const documents = await this.#claims
      .find({ state: 'pending' }, { projection: { _id: 1 } })
      .sort({ at: 1 })
      .limit(limit)
      .toArray();
    return documents.map(({ _id }) => _id);
  }

  async loadPending(claimIds: readonly string[]): Promise<Claim[]> {
    const documents = await this.#claims.find({ _id: { $in: [...claimIds] }, state: 'pending' }).toArray();
    return documents.map(decodeClaim);
  }
}

/** Where in the document's `keys` one of these stands, as an expression. */
function indexesOf(keys: readonly string[]): object {
  const key = { $arrayElemAt: ['$keys', '$$this'] };
  return { $filter: { input: { $range: [0, { $size: '$keys' }] }, cond: { $in: [key, keys] } } };
}

function elementsAt(array: string, indexes: string): object {
  return { $map: { input: indexes, in: { $arrayElemAt: [array, '$$this'] } } };
}

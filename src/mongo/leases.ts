import { randomUUID } from 'node:crypto';
import type { Collection, Db } from 'mongodb';
import type { Lease } from '../events/ports.ts';
import { isDuplicate } from './duplicates.ts';

const LEASES = 'leases';
const TTL_MS = 15_000;
/** Kept for longer when so much of it is over. */
const RENEW_SHARE = 0.3;
/** By so much this machine's clock may run slower than that of the database. */
const DRIFT = 0.02;

/** `{_id: <what it is for>, holder, until}`; `until` by the clock of the database. */
interface LeaseDocument {
  _id: string;
  holder: string;
  until: Date;
}

/**
 * A lease by the clock of the database, so that those of the processes need not agree. It saves work that is done twice;
 * what must never happen twice does not rest on it.
 */
export class MongoLease implements Lease {
  readonly #leases: Collection<LeaseDocument>;
  readonly #holder = randomUUID();
  #heldFrom = Number.NEGATIVE_INFINITY;

  constructor(
    db: Db,
    readonly name: string,
    readonly ttlMs = TTL_MS,
  ) {
    this.#leases = db.collection(LEASES);
  }

  async hold(): Promise<boolean> {
    if (performance.now() - this.#heldFrom < RENEW_SHARE * this.ttlMs) return true;
    const asked = performance.now();
    const holder = this.#holder;
    const isFree = { $or: [{ holder }, { $expr: { $lte: ['$until', '$$NOW'] } }] };
    const until = { $add: ['$$NOW', { $literal: this.ttlMs }] };
    const change = [{ $set: { holder: { $literal: holder }, until } }];
    const { matchedCount } = await this.#leases.updateOne({ _id: this.name, ...isFree }, change);
    if (matchedCount === 0) return (await this.#begin()) && this.hold();
    this.#heldFrom = asked;
    return true;
  }

  /** False: it is there already, and is not free. */
  async #begin(): Promise<boolean> {
    try {
      await this.#leases.insertOne({ _id: this.name, holder: this.#holder, until: new Date(0) });
      return true;
    } catch (error) {
      if (isDuplicate(error)) return false;
      throw error;
    }
  }

  isHeld(): boolean {
    return performance.now() - this.#heldFrom < this.ttlMs * (1 - DRIFT);
  }

  async release(): Promise<void> {
    if (!this.isHeld()) return;
    this.#heldFrom = Number.NEGATIVE_INFINITY;
    await this.#leases.deleteOne({ _id: this.name, holder: this.#holder });
  }
}

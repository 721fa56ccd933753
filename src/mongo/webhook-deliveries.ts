import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AnyBulkWriteOperation, Collection, Db } from 'mongodb';
import type { Page } from '../payments/types.ts';
import type { Attempted, Deliveries, NewDelivery } from '../webhooks/ports.ts';
import type { DeliveriesQuery, Delivery } from '../webhooks/types.ts';
import { isOnlyDuplicates } from './duplicates.ts';

/** `_id`: `<endpoint>/<event>`. `taken`: by whom it was last taken, while it is tried. */
type DeliveryDocument = Delivery & { _id: string; taken?: string };

const SETTLE_MS = 5;
const FIRST = { status: 'pending', attempts: 0, lastAttemptAt: null, lastResult: null } as const;

/** Which events are to be delivered where, and what became of it. */
export class MongoWebhookDeliveries implements Deliveries {
  readonly #deliveries: Collection<DeliveryDocument>;
  /** What is to be written together, and its end; null: there is none. */
  #ends: AnyBulkWriteOperation<DeliveryDocument>[] = [];
  #settling: Promise<void> | null = null;

  constructor(db: Db) {
    this.#deliveries = db.collection('webhook_deliveries');
  }

  async plan(deliveries: readonly NewDelivery[]): Promise<void> {
    const documents = deliveries.map((one) => {
      return { _id: idOf(one.endpoint, one.eventId), ...one, ...FIRST, nextAttemptAt: one.since };
    });
    try {
      await this.#deliveries.insertMany(documents, { ordered: false });
    } catch (error) {
      if (!isOnlyDuplicates(error)) throw error;
    }
  }

  async take(endpoint: string, now: Date, until: Date, limit: number): Promise<Delivery[]> {
    const due = { endpoint, status: 'pending', nextAttemptAt: { $lte: now } } as const;
    const found = await this.#deliveries
      .find(due, { projection: { _id: 1 } })
      .sort({ nextAttemptAt: 1 })
      .limit(limit)
      .toArray();
    if (found.length === 0) return [];
    // Of several who found the same, each is taken by one.
    const taken = randomUUID();
    await this.#deliveries.updateMany(
      { _id: { $in: found.map(({ _id }) => _id) }, ...due },
      { $set: { taken, nextAttemptAt: until, lastAttemptAt: now }, $inc: { attempts: 1 } },
    );
    return (await this.#deliveries.find({ taken }).toArray()).map(deliveryOf);
  }

  /** Those of some milliseconds in one write, as one costs hardly less than many. */
  settle({ endpoint, eventId, attempts, since }: Delivery, attempted: Attempted): Promise<void> {
    // Not when it was sent off anew meanwhile, which counts attempts from the first again.
    const filter = { _id: idOf(endpoint, eventId), attempts, since };
    const update = { $set: { ...attempted }, $unset: { taken: 1 } } as const;
    this.#settling ??= sleep(SETTLE_MS).then(() => this.#settleAll());
    this.#ends.push({ updateOne: { filter, update } });
    return this.#settling;
  }

  async #settleAll(): Promise<void> {
    const ends = this.#ends;
    this.#ends = [];
    this.#settling = null;
    await this.#deliveries.bulkWrite(ends, { ordered: false });
  }

  async again(endpoint: string, eventId: string, now: Date): Promise<Delivery | null> {
    const anew = { $set: { ...FIRST, since: now, nextAttemptAt: now }, $unset: { taken: 1 } } as const;
    const id = idOf(endpoint, eventId);
    const found = await this.#deliveries.findOneAndUpdate({ _id: id }, anew, { returnDocument: 'after' });
    return found && deliveryOf(found);
  }

  async restart(endpoint: string, now: Date): Promise<void> {
    const waiting = { endpoint, status: 'pending' } as const;
    await this.#deliveries.updateMany(waiting, { $set: { since: now, nextAttemptAt: now }, $unset: { taken: 1 } });
  }

  async list(endpoint: string, { limit, startingAfter, status }: DeliveriesQuery): Promise<Page<Delivery>> {
    const below = startingAfter === undefined ? `${endpoint}/~` : idOf(endpoint, startingAfter);
    const range = { _id: { $gt: `${endpoint}/`, $lt: below } };
    const found = await this.#deliveries
      .find(status === undefined ? range : { endpoint, status, ...range })
      .sort({ _id: -1 })
      .limit(limit + 1)
      .toArray();
    return { data: found.slice(0, limit).map(deliveryOf), hasMore: found.length > limit };
  }

  async remove(endpoint: string): Promise<void> {
    await this.#deliveries.deleteMany({ _id: { $gt: `${endpoint}/`, $lt: `${endpoint}/~` } });
  }
}

function idOf(endpoint: string, eventId: string): string {
  return `${endpoint}/${eventId}`;
}

function deliveryOf({ _id: _, taken: __, ...delivery }: DeliveryDocument): Delivery {
  return delivery;
}

import type { Collection, Db } from 'mongodb';
import type { WebhookEndpoints } from '../webhooks/ports.ts';
import type { SigningSecret, WebhookEndpoint } from '../webhooks/types.ts';

type EndpointDocument = Omit<WebhookEndpoint, 'id'> & { _id: string };

/** Those who are told by webhooks. Few, so that all of them are read at once. */
export class MongoWebhookEndpoints implements WebhookEndpoints {
  readonly #endpoints: Collection<EndpointDocument>;

  constructor(db: Db) {
    this.#endpoints = db.collection('webhook_endpoints');
  }

  async insert({ id, ...endpoint }: WebhookEndpoint, limit: number): Promise<boolean> {
    await this.#endpoints.insertOne({ _id: id, ...endpoint });
    // Of several that are inserted at once those stay whose ids come first: all of them see the same order.
    const first = await this.#endpoints
      .find({}, { projection: { _id: 1 } })
      .sort({ _id: 1 })
      .limit(limit)
      .toArray();
    if (first.some(({ _id }) => _id === id)) return true;
    await this.#endpoints.deleteOne({ _id: id });
    return false;
  }

  async all(): Promise<WebhookEndpoint[]> {
    return (await this.#endpoints.find().sort({ _id: 1 }).toArray()).map(endpointOf);
  }

  async get(id: string): Promise<WebhookEndpoint | null> {
    const found = await this.#endpoints.findOne({ _id: id });
    return found && endpointOf(found);
  }

  async update(id: string, change: Parameters<WebhookEndpoints['update']>[1]): Promise<WebhookEndpoint | null> {
    const changed = await this.#endpoints.findOneAndUpdate({ _id: id }, { $set: change }, { returnDocument: 'after' });
    return changed && endpointOf(changed);
  }

  async replaceSecrets(id: string, newest: string, secrets: readonly SigningSecret[]): Promise<WebhookEndpoint | null> {
    const asItWas = { _id: id, 'secrets.0.secret': newest };
    const changed = await this.#endpoints.findOneAndUpdate(asItWas, { $set: { secrets } }, { returnDocument: 'after' });
    return changed && endpointOf(changed);
  }

  async disableUnlessDelivered(id: string, since: Date | null, reason: string): Promise<boolean> {
    const took = since === null ? {} : { lastDeliveredAt: { $not: { $gte: since } } };
    const disabled = { $set: { status: 'disabled', disabledReason: reason } } as const;
    const { modifiedCount } = await this.#endpoints.updateOne({ _id: id, status: 'enabled', ...took }, disabled);
    return modifiedCount === 1;
  }

  async deliveredAt(id: string, at: Date): Promise<void> {
    await this.#endpoints.updateOne({ _id: id }, { $max: { lastDeliveredAt: at } });
  }

  async remove(id: string): Promise<boolean> {
    const { deletedCount } = await this.#endpoints.deleteOne({ _id: id });
    return deletedCount === 1;
  }
}

function endpointOf({ _id, ...endpoint }: EndpointDocument): WebhookEndpoint {
  return { id: _id, ...endpoint };
}

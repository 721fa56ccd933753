import type { EventView } from '../../../src/events/types.ts';
import type { Attempted, Deliveries, NewDelivery, WebhookEndpoints } from '../../../src/webhooks/ports.ts';
import type { Delivery, WebhookEndpoint } from '../../../src/webhooks/types.ts';

export const EPOCH = Date.UTC(2026, 0, 1);

export function anEndpoint(id: string, more: Partial<WebhookEndpoint> = {}): WebhookEndpoint {
  return {
    id,
    url: `https://${id}.example/hooks?token=hidden`,
    types: null,
    description: null,
    status: 'enabled',
    disabledReason: null,
    secrets: [{ secret: 'whsec_1', until: null }],
    createdAt: new Date(EPOCH),
    lastDeliveredAt: null,
    ...more,
  };
}

export function anEvent(id: string, height = 1): EventView {
  const state = { account: 'a', status: 'open', minBalance: null, maxBalance: null } as const;
  return {
    id,
    type: 'account.changed',
    createdAt: new Date(EPOCH),
    transactionId: `txn_${id.slice(4)}`,
    askedBy: { requestId: null, idempotencyKey: null },
    group: 'a',
    accounts: ['a'],
    book: 0,
    height,
    index: 0,
    subject: { kind: 'account_state', state },
  };
}

/** What the storage of webhooks promises, in memory. Every answer comes in another turn. */
export class MemoryWebhooks implements Pick<Deliveries, 'plan' | 'take' | 'settle' | 'again'> {
  readonly kept = new Map<string, Delivery>();
  readonly #endpoints = new Map<string, WebhookEndpoint>();

  constructor(...endpoints: WebhookEndpoint[]) {
    for (const endpoint of endpoints) this.#endpoints.set(endpoint.id, endpoint);
  }

  add(endpoint: WebhookEndpoint): void {
    this.#endpoints.set(endpoint.id, endpoint);
  }

  endpoint(id: string): WebhookEndpoint {
    return this.#endpoints.get(id)!;
  }

  of(endpoint: string): Delivery[] {
    return [...this.kept.values()].filter((delivery) => delivery.endpoint === endpoint);
  }

  readonly endpoints: Pick<WebhookEndpoints, 'all' | 'disableUnlessDelivered' | 'deliveredAt'> = {
    all: async () => [...this.#endpoints.values()],
    disableUnlessDelivered: async (id, since, reason) => {
      const endpoint = this.endpoint(id);
      const took = since !== null && endpoint.lastDeliveredAt !== null && endpoint.lastDeliveredAt >= since;
      if (endpoint.status === 'disabled' || took) return false;
      this.add({ ...endpoint, status: 'disabled', disabledReason: reason });
      return true;
    },
    deliveredAt: async (id, at) => this.add({ ...this.endpoint(id), lastDeliveredAt: at }),
  };

  async plan(deliveries: readonly NewDelivery[]): Promise<void> {
    for (const one of deliveries) {
      const key = keyOf(one);
      const fresh = { status: 'pending', attempts: 0, lastAttemptAt: null, lastResult: null } as const;
      if (!this.kept.has(key)) this.kept.set(key, { ...one, ...fresh, nextAttemptAt: one.since });
    }
  }

  async take(endpoint: string, now: Date, until: Date, limit: number): Promise<Delivery[]> {
    const isDue = ({ status, nextAttemptAt }: Delivery) => status === 'pending' && nextAttemptAt! <= now;
    const due = this.of(endpoint).filter(isDue);
    due.sort((a, b) => a.nextAttemptAt!.getTime() - b.nextAttemptAt!.getTime());
    const taken = due.slice(0, limit).map((one) => {
      return { ...one, nextAttemptAt: until, lastAttemptAt: now, attempts: one.attempts + 1 };
    });
    for (const one of taken) this.kept.set(keyOf(one), one);
    return taken;
  }

  async settle(delivery: Delivery, attempted: Attempted): Promise<void> {
    const now = this.kept.get(keyOf(delivery));
    const isItself = now?.attempts === delivery.attempts && now.since.getTime() === delivery.since.getTime();
    if (isItself) this.kept.set(keyOf(delivery), { ...now, ...attempted });
  }

  async again(endpoint: string, eventId: string, now: Date): Promise<Delivery | null> {
    const found = this.kept.get(keyOf({ endpoint, eventId }));
    if (!found) return null;
    const anew = { status: 'pending', attempts: 0, lastAttemptAt: null, lastResult: null } as const;
    const delivery = { ...found, ...anew, since: now, nextAttemptAt: now };
    this.kept.set(keyOf(delivery), delivery);
    return delivery;
  }
}

function keyOf({ endpoint, eventId }: Pick<Delivery, 'endpoint' | 'eventId'>): string {
  return `${endpoint}/${eventId}`;
}

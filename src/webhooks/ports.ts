/** What webhooks need of the storage. `src/mongo` implements it. */
import type { EventView } from '../events/types.ts';
import type { Page } from '../payments/types.ts';
import type { DeliveriesQuery, Delivery, SigningSecret, WebhookEndpoint } from './types.ts';

export interface WebhookEndpoints {
  /** False, and nothing written, when there are `limit` already. */
  insert(endpoint: WebhookEndpoint, limit: number): Promise<boolean>;
  /** The newest last. */
  all(): Promise<WebhookEndpoint[]>;
  get(id: string): Promise<WebhookEndpoint | null>;
  /** Null: there is none. */
  update(
    id: string,
    change: Partial<Pick<WebhookEndpoint, 'status' | 'disabledReason'>>,
  ): Promise<WebhookEndpoint | null>;
  /** Null: there is none, or its newest secret is another one by now. */
  replaceSecrets(id: string, newest: string, secrets: readonly SigningSecret[]): Promise<WebhookEndpoint | null>;
  /** False: there was none, or it is disabled already, or it took an event since then. */
  disableUnlessDelivered(id: string, since: Date | null, reason: string): Promise<boolean>;
  deliveredAt(id: string, at: Date): Promise<void>;
  /** False: there was none. */
  remove(id: string): Promise<boolean>;
}

export type NewDelivery = Pick<Delivery, 'endpoint' | 'eventId' | 'type' | 'since'>;
/** What an attempt has come to. */
export type Attempted = Pick<Delivery, 'status' | 'nextAttemptAt' | 'lastResult'>;

export interface Deliveries {
  /** Those that are there already stay as they are. */
  plan(deliveries: readonly NewDelivery[]): Promise<void>;
  /**
   * Takes some of those of an endpoint whose time has come, the longest overdue first, so that nobody else tries them
   * before `until`. Each then counts as tried once more, at `now`.
   */
  take(endpoint: string, now: Date, until: Date, limit: number): Promise<Delivery[]>;
  settle(delivery: Delivery, attempted: Attempted): Promise<void>;
  /** Null: there is none. */
  again(endpoint: string, eventId: string, now: Date): Promise<Delivery | null>;
  /** What waits is to be tried at once, and its day begins anew. */
  restart(endpoint: string, now: Date): Promise<void>;
  list(endpoint: string, query: DeliveriesQuery): Promise<Page<Delivery>>;
  remove(endpoint: string): Promise<void>;
}

/** Where events are looked up that are to be delivered; one that is nowhere is missing. */
export interface EventLookup {
  find(ids: readonly string[]): Promise<Map<string, EventView>>;
}

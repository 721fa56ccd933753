/** Webhooks: events posted to those who asked for them, until they take them. */
import type { EventType } from '../events/types.ts';
import type { Page } from '../payments/types.ts';

/** A secret that deliveries are signed with. */
export interface SigningSecret {
  /** `whsec_` and 256 bits, base64url. */
  readonly secret: string;
  /** Until when it signs; null: until it is replaced. */
  readonly until: Date | null;
}

export const ENDPOINT_STATUSES = ['enabled', 'disabled'] as const;
export type EndpointStatus = (typeof ENDPOINT_STATUSES)[number];

export interface WebhookEndpoint {
  /** `we_` and a UUIDv7. */
  readonly id: string;
  readonly url: string;
  /** Null: all. */
  readonly types: readonly EventType[] | null;
  readonly description: string | null;
  readonly status: EndpointStatus;
  /** Why it is disabled, for a person; null while it is not. */
  readonly disabledReason: string | null;
  /** The newest first. */
  readonly secrets: readonly SigningSecret[];
  readonly createdAt: Date;
  /** When it last took an event; null: never. */
  readonly lastDeliveredAt: Date | null;
}

/**
 * - `pending`: to be tried, for the first time or again.
 * - `failed`: given up after a day.
 */
export const DELIVERY_STATUSES = ['pending', 'delivered', 'failed'] as const;
export type DeliveryStatus = (typeof DELIVERY_STATUSES)[number];

/** One event for one endpoint. */
export interface Delivery {
  readonly endpoint: string;
  readonly eventId: string;
  readonly type: EventType;
  readonly status: DeliveryStatus;
  /** How often it was tried. */
  readonly attempts: number;
  /** Since when it is tried: the day counts from here. */
  readonly since: Date;
  readonly lastAttemptAt: Date | null;
  /** When it is tried next; null: not again. */
  readonly nextAttemptAt: Date | null;
  /** What the last attempt came to: a status of HTTP, or in words; null: there was none. */
  readonly lastResult: string | null;
}

export interface CreateEndpoint {
  readonly url: string;
  readonly types?: readonly EventType[] | undefined;
  readonly description?: string | undefined;
}

export interface DeliveriesQuery {
  readonly limit: number;
  readonly startingAfter?: string | undefined;
  readonly status?: DeliveryStatus | undefined;
}

/** What HTTP needs of webhooks. Each rejects with {@link PaymentsError} `not_found` where there is none. */
export interface Webhooks {
  /** Rejects with {@link WebhookError}. */
  create(request: CreateEndpoint): Promise<WebhookEndpoint>;
  list(): Promise<WebhookEndpoint[]>;
  get(id: string): Promise<WebhookEndpoint>;
  /** With all that was to be delivered to it. */
  remove(id: string): Promise<void>;
  /** Signs with a new secret from now on, and with those of before for so long besides. */
  rotate(id: string, overlapSeconds: number): Promise<WebhookEndpoint>;
  enable(id: string): Promise<WebhookEndpoint>;
  disable(id: string): Promise<WebhookEndpoint>;
  /** Newest event first. */
  deliveries(id: string, query: DeliveriesQuery): Promise<Page<Delivery>>;
  /** Tries it anew, at once, as if it had never been tried. */
  redeliver(id: string, eventId: string): Promise<Delivery>;
}

export type WebhookErrorCode = 'webhook_url_refused' | 'too_many_webhook_endpoints';

export class WebhookError extends Error {
  override readonly name = 'WebhookError';
  constructor(
    readonly code: WebhookErrorCode,
    message: string,
  ) {
    super(message);
  }
}

import type { z } from 'zod';
import type { deliveryResource, endpointResource, endpointWithSecret } from './schemas.ts';
import type { Delivery, WebhookEndpoint } from './types.ts';

export function presentEndpoint(endpoint: WebhookEndpoint): z.output<typeof endpointResource> {
  const now = Date.now();
  return {
    object: 'webhook_endpoint',
    id: endpoint.id,
    url: endpoint.url,
    types: endpoint.types === null ? null : [...endpoint.types],
    description: endpoint.description,
    status: endpoint.status,
    disabled_reason: endpoint.disabledReason,
    signing_secrets: endpoint.secrets.filter(({ until }) => until === null || until.getTime() > now).length,
    created_at: endpoint.createdAt.toISOString(),
    last_delivered_at: endpoint.lastDeliveredAt?.toISOString() ?? null,
  };
}

/** With its newest secret: only for whoever has just made it. */
export function presentWithSecret(endpoint: WebhookEndpoint): z.output<typeof endpointWithSecret> {
  return { ...presentEndpoint(endpoint), secret: endpoint.secrets[0]!.secret };
}

export function presentDelivery(delivery: Delivery): z.output<typeof deliveryResource> {
  return {
    object: 'webhook_delivery',
    id: delivery.eventId,
    endpoint: delivery.endpoint,
    type: delivery.type,
    status: delivery.status,
    attempts: delivery.attempts,
    last_attempt_at: delivery.lastAttemptAt?.toISOString() ?? null,
    next_attempt_at: delivery.nextAttemptAt?.toISOString() ?? null,
    last_result: delivery.lastResult,
  };
}

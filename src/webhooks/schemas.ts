/** What is answered about webhooks. */
import { z } from 'zod';
import { EVENT_TYPES } from '../events/types.ts';
import { DELIVERY_STATUSES, ENDPOINT_STATUSES } from './types.ts';

const time = z.iso.datetime();

const endpointFields = {
  object: z.literal('webhook_endpoint'),
  id: z.string(),
  url: z.string(),
  types: z.array(z.enum(EVENT_TYPES)).nullable().meta({ description: 'null: all.' }),
  description: z.string().nullable(),
  status: z.enum(ENDPOINT_STATUSES),
  disabled_reason: z.string().nullable(),
  signing_secrets: z.int().meta({ description: 'With how many secrets deliveries are signed now.' }),
  created_at: time,
  last_delivered_at: time.nullable().meta({ description: 'When it last took an event; null: never.' }),
};

export const endpointResource = z.strictObject(endpointFields).meta({ id: 'WebhookEndpoint' });

export const endpointWithSecret = z
  .strictObject({
    ...endpointFields,
    secret: z.string().meta({ description: 'The newest secret. It is shown this once.', examples: ['whsec_…'] }),
  })
  .meta({ id: 'WebhookEndpointWithSecret' });

export const removedEndpoint = z.strictObject({
  object: z.literal('webhook_endpoint'),
  id: z.string(),
  deleted: z.literal(true),
});

export const deliveryResource = z
  .strictObject({
    object: z.literal('webhook_delivery'),
    id: z.string().meta({ description: 'That of its event.' }),
    endpoint: z.string(),
    type: z.enum(EVENT_TYPES),
    status: z.enum(DELIVERY_STATUSES).meta({
      description: 'pending: to be tried, for the first time or again. failed: given up after a day.',
    }),
    attempts: z.int(),
    last_attempt_at: time.nullable(),
    next_attempt_at: time.nullable(),
    last_result: z
      .string()
      .nullable()
      .meta({ description: 'What the last attempt came to.', examples: ['HTTP 503'] }),
  })
  .meta({ id: 'WebhookDelivery' });

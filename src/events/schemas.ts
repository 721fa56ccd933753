/** What is sent of an event: over HTTP, to SQS and to webhooks alike. */
import { z } from 'zod';
import { ACCOUNT_STATUSES } from '../ledger/types.ts';
import { amount, paymentResource, time, transactionResource } from '../resources/schemas.ts';
import { EVENT_TYPES, type EventType } from './types.ts';

const accountStateResource = z
  .strictObject({
    object: z.literal('account_state'),
    account: z.string(),
    status: z.enum(ACCOUNT_STATUSES),
    min_balance: amount.nullable().meta({ description: 'null: no limit.' }),
    max_balance: amount.nullable().meta({ description: 'null: no limit.' }),
  })
  .meta({ id: 'AccountState' });

function eventFields<Type extends z.ZodType, Resource extends z.ZodType>(type: Type, object: Resource) {
  return {
    object: z.literal('event'),
    id: z.string().meta({ description: 'The same whenever and wherever it is sent: for whoever gets it twice.' }),
    type,
    created_at: time.meta({ description: 'When the ledger decided it.' }),
    transaction_id: z.string(),
    request: z.strictObject({
      id: z.string().nullable().meta({
        description: 'What asked for it, as `X-Request-Id` and the log name it; null: no request to the API.',
      }),
      idempotency_key: z.string().nullable().meta({ description: 'Of an event from SQS: its id. null: it had none.' }),
    }),
    group: z.string().meta({
      description: 'Events of one group are sent in the order in which they happened: the account that gives.',
    }),
    book: z.int().meta({ description: 'The journal that it stands in.' }),
    height: z.int().meta({ description: 'Height of its block: grows with each event of a group, or stays.' }),
    data: z.strictObject({ object }),
  };
}

/** Any event, as it is described in the OpenAPI document. */
export const eventResource = z
  .strictObject(eventFields(z.enum(EVENT_TYPES), z.union([paymentResource, transactionResource, accountStateResource])))
  .meta({ id: 'Event' });

export const eventPage = z.strictObject({
  object: z.literal('list'),
  data: z.array(eventResource),
  has_more: z.boolean(),
  next_cursor: z.string().meta({ description: 'Where to go on, now or later.' }),
  url: z.string(),
});

export type EventResource = z.output<typeof eventResource>;

/** The events of one type, as they are published in `schemas/events`. */
export function eventSchema(type: EventType): z.ZodType {
  return z.strictObject(eventFields(z.literal(type), subjectOf(type)));
}

function subjectOf(type: EventType): z.ZodType {
  if (type === 'account.changed') return accountStateResource;
  return type.startsWith('transaction.') || type.endsWith('_rejected') ? transactionResource : paymentResource;
}

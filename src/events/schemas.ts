/** What is sent of an event: over HTTP, to SQS and to webhooks alike. */
import { z } from 'zod';
import { ACCOUNT_STATUSES } from '../ledger/types.ts';
import {
  amount,
  breakResource,
  paymentResource,
  reconciliationResource,
  time,
  transactionResource,
} from '../resources/schemas.ts';
import { EVENT_TYPES, type EventType, NOTICE_TYPES } from './types.ts';

const accountStateResource = z
  .strictObject({
    object: z.literal('account_state'),
    account: z.string(),
    status: z.enum(ACCOUNT_STATUSES),
    min_balance: amount.nullable().meta({ description: 'null: no limit.' }),
    max_balance: amount.nullable().meta({ description: 'null: no limit.' }),
  })
  .meta({ id: 'AccountState' });

const IN_JOURNAL = {
  created_at: time.meta({ description: 'When the ledger decided it.' }),
  transaction_id: z.string(),
  group: z.string().meta({
    description: 'Events of one group are sent in the order in which they happened: the account that gives.',
  }),
  book: z.int().meta({ description: 'The journal that it stands in.' }),
  height: z.int().meta({ description: 'Height of its block: grows with each event of a group, or stays.' }),
};
const IN_NOTICES = {
  created_at: time.meta({ description: 'When it was written down.' }),
  transaction_id: z.string().nullable().meta({ description: 'The transaction that resolved it; null: none did.' }),
  group: z.string().meta({
    description: 'Events of one group are sent in the order in which they happened: `reconciliation:` and the source.',
  }),
  book: z.null().meta({ description: 'It stands in no journal.' }),
  height: z.int().meta({ description: 'In the log of notices: grows with each event of a group, or stays.' }),
};
const ANYWHERE = {
  created_at: time.meta({ description: 'When the ledger decided it, or a notice was written down.' }),
  transaction_id: z.string().nullable().meta({ description: 'null: a notice that no transaction belongs to.' }),
  group: z.string().meta({
    description:
      'Events of one group are sent in the order in which they happened: the account that gives, or `reconciliation:` and the source.',
  }),
  book: z.int().nullable().meta({ description: 'The journal that it stands in; null: a notice, which is in none.' }),
  height: IN_JOURNAL.height,
};

/** Where an event stands. */
interface Place<TransactionId, Book> {
  readonly created_at: typeof time;
  readonly transaction_id: TransactionId;
  readonly group: z.ZodString;
  readonly book: Book;
  readonly height: z.ZodInt;
}

function eventFields<
  Type extends z.ZodType,
  TransactionId extends z.ZodType,
  Book extends z.ZodType,
  Resource extends z.ZodType,
>(type: Type, { created_at, transaction_id, group, book, height }: Place<TransactionId, Book>, object: Resource) {
  return {
    object: z.literal('event'),
    id: z.string().meta({ description: 'The same whenever and wherever it is sent: for whoever gets it twice.' }),
    type,
    created_at,
    transaction_id,
    request: z.strictObject({
      id: z.string().nullable().meta({
        description: 'What asked for it, as `X-Request-Id` and the log name it; null: no request to the API.',
      }),
      idempotency_key: z.string().nullable().meta({ description: 'Of an event from SQS: its id. null: it had none.' }),
    }),
    group,
    book,
    height,
    data: z.strictObject({ object }),
  };
}

const anyResource = z.union([
  paymentResource,
  transactionResource,
  accountStateResource,
  reconciliationResource,
  breakResource,
]);

/** Any event, as it is described in the OpenAPI document. */
export const eventResource = z
  .strictObject(eventFields(z.enum(EVENT_TYPES), ANYWHERE, anyResource))
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
  const [literal, subject] = [z.literal(type), subjectOf(type)];
  const isNotice = (NOTICE_TYPES as readonly string[]).includes(type);
  return z.strictObject(
    isNotice ? eventFields(literal, IN_NOTICES, subject) : eventFields(literal, IN_JOURNAL, subject),
  );
}

function subjectOf(type: EventType): z.ZodType {
  if (type === 'account.changed') return accountStateResource;
  if (type === 'reconciliation.completed') return reconciliationResource;
  if (type.startsWith('reconciliation.')) return breakResource;
  return type.startsWith('transaction.') || type.endsWith('_rejected') ? transactionResource : paymentResource;
}

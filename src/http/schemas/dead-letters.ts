/** What is asked about dead letters, and answered. */
import { z } from 'zod';

const LIMIT_DEFAULT = 100;
export const LIMIT_MAX = 1_000;
const RATE_MAX = 10_000;

const letterId = z.string().regex(/^[A-Za-z0-9_-]{1,100}$/, 'must be the id of a dead letter');
const reason = z
  .string()
  .regex(/^[a-z0-9_]{1,64}$/, 'must be a reason, such as account_not_found')
  .meta({ examples: ['account_not_found'] });

export const deadLetterParams = z.strictObject({ id: letterId });

export const deadLettersQuery = z.strictObject({
  reason: reason.optional().meta({ description: 'Only letters with this reason.' }),
  limit: z
    .string()
    .regex(/^(?:[1-9][0-9]{0,2}|1000)$/, `must be 1 to ${LIMIT_MAX}`)
    .transform(Number)
    .default(LIMIT_DEFAULT)
    .meta({ description: `Letters, 1 to ${LIMIT_MAX}, at most.`, default: String(LIMIT_DEFAULT) }),
});

const limit = z
  .int(`must be a whole number from 1 to ${LIMIT_MAX}`)
  .min(1, `must be from 1 to ${LIMIT_MAX}`)
  .max(LIMIT_MAX, `must be from 1 to ${LIMIT_MAX}`)
  .optional()
  .meta({ description: `Letters at most; ${LIMIT_MAX} unless given.` });

const choiceFields = {
  ids: z
    .array(letterId)
    .min(1, 'must name a letter, or be left out')
    .max(LIMIT_MAX, `must name at most ${LIMIT_MAX} letters`)
    .optional()
    .meta({ description: 'Those with these ids.' }),
  reason: reason.optional().meta({ description: 'Those with this reason.' }),
  all: z.literal(true, 'must be true, or left out').optional().meta({ description: 'All of them.' }),
};

interface Chosen {
  readonly ids?: readonly string[] | undefined;
  readonly reason?: string | undefined;
  readonly all?: true | undefined;
}

/** For the OpenAPI document: {@link chooses} looks at it, and says it better. */
const CHOICE = { oneOf: ['ids', 'reason', 'all'].map((name) => ({ required: [name] })) };

function chooses({ ids, reason, all }: Chosen, context: z.RefinementCtx): void {
  if ([ids, reason, all].filter((one) => one !== undefined).length === 1) return;
  context.addIssue({ code: 'custom', path: [], message: 'must choose letters with one of ids, reason and all' });
}

export const redriveBody = z
  .strictObject({
    ...choiceFields,
    rate_per_second: z
      .int(`must be a whole number from 1 to ${RATE_MAX}`)
      .min(1, `must be from 1 to ${RATE_MAX}`)
      .max(RATE_MAX, `must be from 1 to ${RATE_MAX}`)
      .optional()
      .meta({ description: 'Letters that are sent in a second at most; 100 unless given.' }),
    limit,
  })
  .superRefine(chooses)
  .meta(CHOICE);

export const dropBody = z
  .strictObject({ ...choiceFields, limit })
  .superRefine(chooses)
  .meta(CHOICE);

const time = z.iso.datetime();

const pastLetter = z.strictObject({
  reason: z.string(),
  code: z.string(),
  at: time.meta({ description: 'When it was dead-lettered.' }),
  receive_count: z.int(),
  message_id: z.string().meta({ description: 'In the queue that it came from.' }),
  sent_at: time.nullable().meta({ description: 'When it was sent to that queue; null: that is not known.' }),
});

const letterFields = {
  object: z.literal('dead_letter'),
  id: z.string().meta({ description: 'In the dead-letter queue: another one each time that it gets there.' }),
  reason: z.string().meta({
    description:
      'Why it is there. `moved_by_sqs`: SQS moved it by itself; `unknown`: it does not say. Then all below may be null.',
  }),
  code: z.string().nullable(),
  detail: z.string().nullable().meta({ description: 'For a person.' }),
  original_message_id: z.string().nullable(),
  receive_count: z.int().nullable().meta({ description: 'How often it was received before.' }),
  sent_at: time.nullable().meta({ description: 'When it was sent to the dead-letter queue.' }),
  event: z
    .strictObject({ id: z.string(), type: z.string() })
    .nullable()
    .meta({ description: 'null: its body is no event.' }),
  size: z.int().meta({ description: 'Of its body, in bytes.' }),
  history: z
    .array(pastLetter)
    .meta({ description: 'Each time that it became a dead letter, the last one at the end.' }),
};

export const deadLetterResource = z.strictObject(letterFields).meta({ id: 'DeadLetter' });

export const deadLetterWithBody = z
  .strictObject({
    ...letterFields,
    content_encoding: z.string().nullable().meta({ description: 'How the body is compressed in the queue.' }),
    body: z.string().meta({ description: 'Decompressed, when it is gzip, deflate or br in base64.' }),
  })
  .meta({ id: 'DeadLetterWithBody' });

const MORE = 'It stopped before it had looked through all: ask again.';

export const deadLetterList = z.strictObject({
  object: z.literal('dead_letters'),
  data: z.array(deadLetterResource),
  more: z.boolean().meta({ description: MORE }),
});

const outcomeFields = {
  failed: z.int().meta({ description: 'Chosen, and there as before.' }),
  missing: z.array(z.string()).meta({ description: 'Ids that were not found.' }),
  more: z.boolean().meta({ description: MORE }),
};

export const redriveResult = z
  .strictObject({
    object: z.literal('dead_letter_redrive'),
    redriven: z.int().meta({ description: 'Sent back to their queue.' }),
    not_deleted: z
      .int()
      .meta({ description: 'Sent back and still there: sent back again, their events are replayed.' }),
    ...outcomeFields,
  })
  .meta({ id: 'DeadLetterRedrive' });

export const dropResult = z
  .strictObject({
    object: z.literal('dead_letter_drop'),
    dropped: z.int().meta({ description: 'Deleted for good.' }),
    ...outcomeFields,
  })
  .meta({ id: 'DeadLetterDrop' });

/** Dead letters as they are read in the dead-letter queue. */
import type { Message, MessageSystemAttributeName } from '@aws-sdk/client-sqs';
import { type OpenedBody, openBody } from './body.ts';
import { decompress } from './compression.ts';
import { given } from './dead-letter.ts';
import { type PastLetter, parseHistory, writeHistory } from './letter-history.ts';
import type { Outgoing } from './sender.ts';

/** What is asked for with each letter, beside all of its own attributes. */
export const LETTER_SYSTEM_ATTRIBUTES: MessageSystemAttributeName[] = [
  'SentTimestamp',
  'MessageGroupId',
  'ApproximateReceiveCount',
  'DeadLetterQueueSourceArn',
];

/** Of a letter that SQS moved itself, by the redrive policy of the queue; and of one that nobody says anything about. */
const REASONS_WITHOUT_LETTER = { moved: 'moved_by_sqs', unknown: 'unknown' } as const;
/** Attributes that a consumer looks at. */
const CARRIED = ['content_encoding', 'traceparent', 'tracestate'] as const;
const BODY_BYTES_MAX = 4 * 1_048_576;
const WORD_CHARACTERS_MAX = 64;
const TEXT_CHARACTERS_MAX = 500;

export interface Letter {
  /** In the dead-letter queue. */
  readonly id: string;
  readonly reason: string;
  readonly code: string | null;
  /** For a person. */
  readonly detail: string | null;
  readonly originalMessageId: string | null;
  /** How often it was received before it was dead-lettered; null: that is not known. */
  readonly receiveCount: number | null;
  /** To the dead-letter queue; one that SQS moved: to the queue it came from. Null: the server did not say. */
  readonly sentAt: Date | null;
  /** Null: its body is no event. */
  readonly event: { readonly id: string; readonly type: string } | null;
  /** Of the body as it is in the queue, in bytes. */
  readonly size: number;
  /** Newest last, this time included. */
  readonly history: readonly PastLetter[];
}

/** With what it takes to send it back. */
export interface FoundLetter {
  readonly letter: Letter;
  /** As it is in the queue. */
  readonly body: string;
  /** How the body is compressed; null: it does not say. */
  readonly encoding: string | null;
  /** Without its history. */
  readonly carried: Readonly<Record<string, string>>;
  /** In the FIFO queue that it came from; its own id when it had none. */
  readonly group: string;
}

export function toLetter({
  MessageId = 'unknown',
  Body: body = '',
  Attributes,
  MessageAttributes,
}: Message): FoundLetter {
  const text = (name: string) => MessageAttributes?.[name]?.StringValue || null;
  const clean = (name: string, max: number) => printable(text(name), max);
  const sentAt = numberOf(Attributes?.SentTimestamp);
  const isMoved = Attributes?.DeadLetterQueueSourceArn !== undefined;
  const receiveCount = numberOf(text('receive_count'));
  const encoding = text('content_encoding');
  const letter = {
    id: MessageId,
    reason:
      clean('reason', WORD_CHARACTERS_MAX) ?? (isMoved ? REASONS_WITHOUT_LETTER.moved : REASONS_WITHOUT_LETTER.unknown),
    code: clean('code', WORD_CHARACTERS_MAX),
    detail: clean('detail', TEXT_CHARACTERS_MAX),
    originalMessageId: clean('original_message_id', TEXT_CHARACTERS_MAX),
    receiveCount,
    sentAt: sentAt === null ? null : new Date(sentAt),
    event: eventIn(openBody({ body, encoding, isPointer: false, traceParent: {} })),
    size: Buffer.byteLength(body),
    history: parseHistory(text('history')),
  };
  return {
    letter,
    body,
    encoding,
    carried: given(Object.fromEntries(CARRIED.map((name) => [name, text(name)]))),
    group: text('message_group') ?? Attributes?.MessageGroupId ?? MessageId,
  };
}

/**
 * What is sent back to the queue of such a letter, the best first: with its history, so that the next dead letter tells of
 * this one as well; without, when it is too large for that.
 */
export function backwardFormsOf(
  { letter, body, carried, group }: FoundLetter,
  deduplicationId: string | null,
): Outgoing[] {
  const place = deduplicationId === null ? {} : { group, deduplicationId };
  const { content_encoding: encoding } = carried;
  return [
    { body, attributes: { ...carried, history: writeHistory(historyOf(letter)) }, ...place },
    { body, attributes: given({ content_encoding: encoding }), ...place },
    { body, attributes: {}, ...place },
  ];
}

/** A letter without one says what it does of itself. */
function historyOf(letter: Letter): readonly PastLetter[] {
  if (letter.history.length > 0) return letter.history;
  const { id, reason, code, originalMessageId, receiveCount, sentAt } = letter;
  const word = (text: string) => text.toLowerCase().replace(/[^a-z0-9_]/g, '_');
  const only = {
    reason: word(reason),
    code: word(code ?? reason),
    at: (sentAt ?? new Date()).toISOString(),
    receive_count: receiveCount ?? 0,
    message_id: originalMessageId ?? id,
    sent_at: null,
  };
  return [only];
}

/** Decompressed, when it can be and is not too large for that. */
export function readBody(body: string, encoding: string | null): string {
  try {
    return decompress(body, encoding, BODY_BYTES_MAX);
  } catch {
    return body;
  }
}

function eventIn(opened: OpenedBody): Letter['event'] {
  const { id, type } = (opened.ok ? (opened.json ?? {}) : {}) as { id?: unknown; type?: unknown };
  if (typeof id !== 'string' || typeof type !== 'string') return null;
  return { id: printable(id, TEXT_CHARACTERS_MAX) ?? '', type: printable(type, TEXT_CHARACTERS_MAX) ?? '' };
}

/** Anybody may have sent it, and it is shown on terminals. */
function printable(text: string | null, max: number): string | null {
  return text === null ? null : text.replace(/[^\x20-\x7e]/g, '?').slice(0, max);
}

function numberOf(text: string | null | undefined): number | null {
  return text && /^\d{1,15}$/.test(text) ? Number(text) : null;
}

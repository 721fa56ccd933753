import type { SQSClient } from '@aws-sdk/client-sqs';
import { Batcher, type Refused } from './batcher.ts';
import { compress, GZIP } from './compression.ts';
import type { DeadLetterReason, EventErrorCode } from './judge.ts';
import { parseHistory, writeHistory } from './letter-history.ts';
import type { Received } from './message.ts';
import { type Outgoing, Sender } from './sender.ts';

const DETAIL_CHARACTERS_MAX = 500;

export interface DeadLetter {
  readonly reason: DeadLetterReason;
  readonly code: EventErrorCode;
  readonly detail: string;
}

/** A letter on its way. `forms`: what may be sent, the best first. */
interface Sending {
  readonly forms: readonly (() => Outgoing)[];
  /** Why it was last refused. */
  error: Error | null;
}

/**
 * Sends messages to the dead-letter queue, ten to a call: the unchanged body, with message attributes that say why it is
 * there.
 *
 * | attribute | |
 * |---|---|
 * | `reason` | why, as it is counted |
 * | `code` | the exact error code |
 * | `detail` | for a person |
 * | `original_message_id`, `receive_count` | of the message |
 * | `history` | see `letter-history.ts`: this time and those before |
 * | `message_group` | of the message, when it had one |
 * | `content_encoding`, `traceparent`, `tracestate` | as the message had them |
 *
 * SQS counts attributes as a part of the message. One that is too large with all of them is sent with the first that
 * matter, else compressed, else bare: the queue took its body once, and must be able to let go of it.
 */
export class DeadLetters {
  readonly #sender: Sender;
  readonly #letters: Batcher<Sending>;

  constructor(client: SQSClient, queueUrl: string) {
    this.#sender = new Sender(client, queueUrl);
    this.#letters = new Batcher((letters) => this.#send(letters));
  }

  /** Rejects when the queue did not take it, in a few attempts. */
  async send(message: Received, letter: DeadLetter): Promise<void> {
    const sending: Sending = { forms: formsOf(message, letter, this.#sender.isFifo), error: null };
    if (await this.#letters.add(sending)) return;
    throw sending.error ?? new Error('the dead-letter queue did not take a letter');
  }

  async #send(letters: readonly Sending[]): Promise<Refused[]> {
    const refused: Refused[] = [];
    let left = letters.map((letter, index) => ({ letter, index, form: 0 }));
    while (left.length > 0) {
      const sent = await this.#sender.send(left.map(({ letter, form }) => letter.forms[form]!()));
      left = left.flatMap((one, i) => {
        const outcome = sent[i]!;
        if (outcome.taken) return [];
        one.letter.error = outcome.error;
        const hasOther = one.form + 1 < one.letter.forms.length;
        if (outcome.isUnfit && hasOther) return [{ ...one, form: one.form + 1 }];
        refused.push({ index: one.index, final: outcome.isUnfit });
        return [];
      });
    }
    return refused;
  }
}

function formsOf(message: Received, letter: DeadLetter, isFifo: boolean): Sending['forms'] {
  const { body, messageId, group, encoding, traceParent } = message;
  const why = { reason: letter.reason, code: letter.code, original_message_id: messageId };
  const as = given({ content_encoding: encoding });
  const all = {
    ...why,
    detail: printable(letter.detail),
    receive_count: message.receiveCount,
    history: historyOf(message, letter),
    ...given({ message_group: group, traceparent: traceParent.traceparent, tracestate: traceParent.tracestate }),
  };
  // The same letter twice is one.
  const place = isFifo ? { group: group ?? messageId, deduplicationId: messageId } : {};
  return [
    () => ({ body, attributes: { ...all, ...as }, ...place }),
    () => ({ body, attributes: { ...why, ...as }, ...place }),
    ...(encoding === null
      ? [() => ({ body: compress(body), attributes: { ...all, content_encoding: GZIP }, ...place })]
      : []),
    () => ({ body, attributes: {}, ...place }),
  ];
}

function historyOf(message: Received, { reason, code }: DeadLetter): string {
  const { messageId, receiveCount, sentAt } = message;
  const now = {
    reason,
    code,
    at: new Date().toISOString(),
    receive_count: receiveCount,
    message_id: messageId,
    sent_at: sentAt === null ? null : new Date(sentAt).toISOString(),
  };
  return writeHistory([...parseHistory(message.history), now]);
}

/** Those that there are: SQS refuses empty attributes. */
export function given(texts: Readonly<Record<string, string | null | undefined>>): Record<string, string> {
  return Object.fromEntries(Object.entries(texts).filter((one): one is [string, string] => !!one[1]));
}

/** A detail quotes what somebody sent. SQS refuses some characters and empty attributes; a terminal obeys others. */
function printable(detail: string): string {
  return detail.replace(/[^\x20-\x7e]/g, '?').slice(0, DETAIL_CHARACTERS_MAX) || '-';
}

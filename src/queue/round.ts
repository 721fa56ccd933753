import {
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageBatchCommand,
  type Message,
  ReceiveMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import { BATCH_MAX } from './batcher.ts';
import { LETTER_SYSTEM_ATTRIBUTES } from './letter.ts';

/** Long enough for every part of the queue to be asked: then nothing means that there is nothing. */
export const WHOLE_WAIT_SECONDS = 1;
/** How long what was looked at is hidden from others, if this process ends before it gives it back. */
const HIDDEN_SECONDS = 120;
const HELD_MAX = 10_000;
const CALLS_AT_ONCE = 4;

export interface RoundParts {
  readonly client: SQSClient;
  readonly queueUrl: string;
  /** In ms. */
  readonly clock: () => number;
  /** How long a receive waits for a message, s; {@link WHOLE_WAIT_SECONDS}, but for a server that has only one part. */
  readonly waitSeconds: number;
}

/**
 * One way through all messages of a queue, each of them once. SQS shows messages only by handing them out: so they are
 * held, hidden from others, until the round has ended, and those that were not deleted are there again at once.
 */
export class Round {
  /** Receipts of what is held, by the message's id; the latest of each, for no other deletes it. */
  readonly #held = new Map<string, string>();
  readonly #parts: RoundParts;
  readonly #untilMs: number;
  readonly #signal: AbortSignal | undefined;
  #lastNewMs: number;
  #isWhole = false;

  /** It looks for more until `untilMs` of the clock, and until the signal is given. */
  constructor(parts: RoundParts, untilMs: number, signal?: AbortSignal) {
    this.#parts = parts;
    this.#untilMs = untilMs;
    this.#signal = signal;
    this.#lastNewMs = parts.clock();
  }

  /** Has it seen all that there was to be seen? */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  /** Is its time over? */
  get isOver(): boolean {
    return this.#signal?.aborted === true || this.#parts.clock() >= this.#untilMs;
  }

  /** How many are held. */
  get held(): number {
    return this.#held.size;
  }

  /** The next messages, at least one; null: there are no more, or it has gone as far as it goes. */
  async next(): Promise<Message[] | null> {
    const { clock } = this.#parts;
    while (!this.isOver && this.#held.size < HELD_MAX) {
      const messages = await this.#receive();
      const fresh = messages.filter(({ MessageId }) => !this.#held.has(MessageId!));
      for (const { MessageId, ReceiptHandle } of messages) this.#held.set(MessageId!, ReceiptHandle!);
      if (fresh.length > 0) {
        this.#lastNewMs = clock();
        return [...new Map(fresh.map((message) => [message.MessageId, message])).values()];
      }
      // What is held for so long comes by again, and would do so for ever.
      const isRoundAgain = clock() - this.#lastNewMs > HIDDEN_SECONDS * 1000;
      this.#isWhole = messages.length === 0 || isRoundAgain;
      if (this.#isWhole) return null;
    }
    return null;
  }

  /** Deletes messages that it has handed out, at most ten. Answers the ids of those that are gone. */
  async delete(ids: readonly string[]): Promise<ReadonlySet<string>> {
    const { client, queueUrl: QueueUrl } = this.#parts;
    const Entries = ids.map((id, i) => ({ Id: String(i), ReceiptHandle: this.#held.get(id)! }));
    const { Successful = [] } = await client
      .send(new DeleteMessageBatchCommand({ QueueUrl, Entries }))
      .catch(() => ({ Successful: [] }));
    const gone = new Set(Successful.map(({ Id }) => ids[Number(Id)]!));
    for (const id of gone) this.#held.delete(id);
    return gone;
  }

  /** Gives back what is held. What cannot be given back comes back by itself, in a while. */
  async end(): Promise<void> {
    const receipts = [...this.#held.values()];
    this.#held.clear();
    const work = async () => {
      for (let some = receipts.splice(0, BATCH_MAX); some.length > 0; some = receipts.splice(0, BATCH_MAX)) {
        await this.#show(some).catch(() => undefined);
      }
    };
    await Promise.all(Array.from({ length: CALLS_AT_ONCE }, work));
  }

  /** Never cut off: what such a call receives is hidden, and nobody would know of it. */
  async #receive(): Promise<Message[]> {
    const { Messages = [] } = await this.#parts.client.send(
      new ReceiveMessageCommand({
        QueueUrl: this.#parts.queueUrl,
        MaxNumberOfMessages: BATCH_MAX,
        WaitTimeSeconds: this.#parts.waitSeconds,
        VisibilityTimeout: HIDDEN_SECONDS,
        MessageSystemAttributeNames: LETTER_SYSTEM_ATTRIBUTES,
        MessageAttributeNames: ['All'],
      }),
    );
    return Messages.filter(({ MessageId, ReceiptHandle }) => MessageId !== undefined && ReceiptHandle !== undefined);
  }

  async #show(receipts: readonly string[]): Promise<void> {
    const Entries = receipts.map((ReceiptHandle, i) => ({ Id: String(i), ReceiptHandle, VisibilityTimeout: 0 }));
    const { client, queueUrl: QueueUrl } = this.#parts;
    await client.send(new ChangeMessageVisibilityBatchCommand({ QueueUrl, Entries }));
  }
}

import { SendMessageBatchCommand, type SendMessageBatchRequestEntry, type SQSClient } from '@aws-sdk/client-sqs';
import { BATCH_MAX } from './batcher.ts';

/** Of all messages in one call. Servers take more by now, but not all of them. */
const CALL_BYTES_MAX = 256 * 1024;
/** Refusals of a message for what it is, of an entry or of a whole call: too large, most of all. */
const UNFIT = /TooLong|InvalidParameter|InvalidMessage|InvalidAttribute/;

/** A message to be sent. */
export interface Outgoing {
  readonly body: string;
  /** At most ten, none empty. */
  readonly attributes: Readonly<Record<string, string | number>>;
  /** Both for FIFO queues only, and needed there. */
  readonly group?: string;
  readonly deduplicationId?: string;
}

/** What became of a message. `isUnfit`: the queue never takes it as it is. */
export type Sent =
  | { readonly taken: true; readonly messageId: string }
  | { readonly taken: false; readonly isUnfit: boolean; readonly error: Error };

/** Sends messages to a queue, ten to a call and 256 KiB at most; one that is larger goes alone. */
export class Sender {
  readonly #client: SQSClient;
  readonly #queueUrl: string;

  constructor(client: SQSClient, queueUrl: string) {
    this.#client = client;
    this.#queueUrl = queueUrl;
  }

  get isFifo(): boolean {
    return this.#queueUrl.endsWith('.fifo');
  }

  /** What became of each, in their order, in as many calls as it takes. Never rejects. */
  async send(messages: readonly Outgoing[]): Promise<Sent[]> {
    const sizes = messages.map(bytesOf);
    const sent: Sent[] = [];
    while (sent.length < messages.length) {
      const from = sent.length;
      const count = countForCall(sizes.slice(from));
      sent.push(...(await this.#callOrRefuse(messages.slice(from, from + count))));
    }
    return sent;
  }

  /** One call with all of them: as many as {@link countForCall} says. Rejects when the call fails as a whole. */
  async call(messages: readonly Outgoing[]): Promise<Sent[]> {
    const Entries = messages.map((message, i) => entryOf(message, String(i)));
    const command = new SendMessageBatchCommand({ QueueUrl: this.#queueUrl, Entries });
    const { Successful = [], Failed = [] } = await this.#client.send(command);
    const taken = new Map(Successful.map(({ Id, MessageId }) => [Id, MessageId ?? 'unknown']));
    const failed = new Map(Failed.map((entry) => [entry.Id, entry]));
    return messages.map((_, i) => {
      const messageId = taken.get(String(i));
      if (messageId !== undefined) return { taken: true, messageId };
      const { Code = 'no answer', Message = '', SenderFault = false } = failed.get(String(i)) ?? {};
      const error = new Error(`the queue did not take a message: ${Code} ${Message}`.trimEnd());
      return { taken: false, isUnfit: SenderFault && UNFIT.test(Code), error };
    });
  }

  async #callOrRefuse(messages: readonly Outgoing[]): Promise<Sent[]> {
    try {
      return await this.call(messages);
    } catch (thrown) {
      const error = thrown instanceof Error ? thrown : new Error(String(thrown));
      const isUnfit = UNFIT.test(error.name);
      if (!isUnfit || messages.length === 1) return messages.map(() => ({ taken: false, isUnfit, error }));
      // One of them may be at fault for all.
      const sent: Sent[] = [];
      for (const message of messages) sent.push(...(await this.#callOrRefuse([message])));
      return sent;
    }
  }
}

/** How many messages of these sizes in bytes, from the first on, go into one call: at least one. */
export function countForCall(sizes: Iterable<number>): number {
  let bytes = 0;
  let count = 0;
  for (const size of sizes) {
    bytes += size;
    if (count === BATCH_MAX || (count > 0 && bytes > CALL_BYTES_MAX)) break;
    count++;
  }
  return count;
}

/** As SQS counts: the body, and name, type and value of each attribute. */
export function bytesOf({ body, attributes }: Outgoing): number {
  const counted = Object.entries(attributes).map(([name, value]) => `${name}${typeOf(value)}${value}`);
  return counted.reduce((sum, text) => sum + Buffer.byteLength(text), Buffer.byteLength(body));
}

function entryOf({ body, attributes, group, deduplicationId }: Outgoing, id: string): SendMessageBatchRequestEntry {
  const named = Object.entries(attributes).map(([name, value]) => [
    name,
    { DataType: typeOf(value), StringValue: String(value) },
  ]);
  return {
    Id: id,
    MessageBody: body,
    ...(named.length === 0 ? {} : { MessageAttributes: Object.fromEntries(named) }),
    ...(group === undefined ? {} : { MessageGroupId: group }),
    ...(deduplicationId === undefined ? {} : { MessageDeduplicationId: deduplicationId }),
  };
}

function typeOf(value: string | number): 'String' | 'Number' {
  return typeof value === 'number' ? 'Number' : 'String';
}

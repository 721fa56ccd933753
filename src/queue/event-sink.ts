import { setTimeout as sleep } from 'node:timers/promises';
import { SendMessageBatchCommand, type SendMessageBatchRequestEntry, type SQSClient } from '@aws-sdk/client-sqs';
import type { EventSink } from '../events/ports.ts';
import { presentEvent } from '../events/present.ts';
import type { EventView } from '../events/types.ts';
import { backoffMs } from '../ledger/retry.ts';
import { BATCH_MAX } from './batcher.ts';

const CALLS_AT_ONCE = 4;
/** Of all messages in one call. Servers take more by now, but not all of them. */
const BATCH_BYTES_MAX = 256 * 1024;
/** Of one message beside its body: its attributes. */
const MESSAGE_BYTES_BESIDE = 100;
const FAILURES_MAX = 5;
const RETRY_BASE_MS = 100;
const RETRY_MAX_MS = 2_000;
/** What SQS takes in no body, or some servers do not, and JSON can write otherwise: one such event would stop its book. */
const UNSENDABLE = /[\uD800-\uDFFF\uFFFE\uFFFF]/g;

export interface EventQueue {
  readonly client: SQSClient;
  /** One that ends in `.fifo` gets groups and deduplication ids. */
  readonly queueUrl: string;
}

interface Message {
  readonly event: EventView;
  readonly body: string;
  readonly bytes: number;
}

/** Messages of which each may only be sent when the one before it was taken. */
type Line = Message[];

/**
 * Sends events to a queue, ten in a call and several calls at once. In a FIFO queue the group of an event is its group,
 * and its id the deduplication id, so that what is sent again within five minutes is there once. A call holds no two
 * events of a group: of those that a call carries the server may refuse one and take the next.
 */
export class SqsEventSink implements EventSink {
  readonly #isFifo: boolean;

  constructor(
    readonly queue: EventQueue,
    readonly pause: (ms: number) => Promise<unknown> = sleep,
  ) {
    this.#isFifo = queue.queueUrl.endsWith('.fifo');
  }

  async send(events: readonly EventView[], mayGoOn: () => boolean): Promise<void> {
    const ready = this.#lines(events);
    let failed: Error | null = null;
    const isOn = () => failed === null && mayGoOn();
    const work = async () => {
      await this.#work(ready, isOn).catch((error: Error) => {
        failed ??= error;
      });
    };
    // None is left to send on when another has given up.
    await Promise.all(Array.from({ length: CALLS_AT_ONCE }, work));
    if (failed !== null) throw failed;
  }

  #lines(events: readonly EventView[]): Line[] {
    const messages = events.map(messageOf);
    if (!this.#isFifo) return messages.map((message) => [message]);
    const groups = new Map<string, Line>();
    for (const message of messages) {
      const line = groups.get(message.event.group);
      if (line) line.push(message);
      else groups.set(message.event.group, [message]);
    }
    return [...groups.values()];
  }

  async #work(ready: Line[], isOn: () => boolean): Promise<void> {
    let failures = 0;
    for (let lines = take(ready); lines.length > 0; lines = take(ready)) {
      if (!isOn()) throw new Error('events are sent by another process by now');
      try {
        const taken = await this.#call(lines.map(([first]) => first!));
        lines.forEach((line, i) => {
          if (taken[i]) line.shift();
        });
        // Whoever takes some takes the rest sooner or later.
        if (taken.includes(true)) failures = 0;
        if (taken.includes(false)) throw new Error('the queue did not take all events of a call');
      } catch (error) {
        if (++failures === FAILURES_MAX) throw error;
        await this.pause(backoffMs(failures, RETRY_BASE_MS, RETRY_MAX_MS));
      }
      ready.push(...lines.filter((line) => line.length > 0));
    }
  }

  /** Which of them were taken. */
  async #call(messages: readonly Message[]): Promise<boolean[]> {
    const { client, queueUrl } = this.queue;
    const Entries = messages.map((message, i) => this.#entry(message, String(i)));
    const { Successful = [] } = await client.send(new SendMessageBatchCommand({ QueueUrl: queueUrl, Entries }));
    const taken = new Set(Successful.map(({ Id }) => Id));
    return messages.map((_, i) => taken.has(String(i)));
  }

  #entry({ event, body }: Message, id: string): SendMessageBatchRequestEntry {
    return {
      Id: id,
      MessageBody: body,
      MessageAttributes: { type: { DataType: 'String', StringValue: event.type } },
      ...(this.#isFifo && { MessageGroupId: event.group, MessageDeduplicationId: event.id }),
    };
  }
}

function messageOf(event: EventView): Message {
  const written = (character: string) => `\\u${character.charCodeAt(0).toString(16)}`;
  const body = JSON.stringify(presentEvent(event)).replace(UNSENDABLE, written);
  return { event, body, bytes: Buffer.byteLength(body) + MESSAGE_BYTES_BESIDE };
}

/** As many lines as have firsts that go into one call. */
function take(ready: Line[]): Line[] {
  let bytes = 0;
  let count = 0;
  for (const [first] of ready) {
    bytes += first!.bytes;
    if (count === BATCH_MAX || (count > 0 && bytes > BATCH_BYTES_MAX)) break;
    count++;
  }
  return ready.splice(0, count);
}

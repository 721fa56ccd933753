import { setTimeout as sleep } from 'node:timers/promises';
import type { SQSClient } from '@aws-sdk/client-sqs';
import type { EventSink } from '../events/ports.ts';
import { presentEvent } from '../events/present.ts';
import type { EventView } from '../events/types.ts';
import { backoffMs } from '../ledger/retry.ts';
import { bytesOf, countForCall, type Outgoing, Sender } from './sender.ts';

const CALLS_AT_ONCE = 4;
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
  readonly group: string;
  readonly outgoing: Outgoing;
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
  readonly #sender: Sender;

  constructor(
    { client, queueUrl }: EventQueue,
    readonly pause: (ms: number) => Promise<unknown> = sleep,
  ) {
    this.#sender = new Sender(client, queueUrl);
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
    const { isFifo } = this.#sender;
    const messages = events.map((event) => messageOf(event, isFifo));
    if (!isFifo) return messages.map((message) => [message]);
    const groups = new Map<string, Line>();
    for (const message of messages) {
      const line = groups.get(message.group);
      if (line) line.push(message);
      else groups.set(message.group, [message]);
    }
    return [...groups.values()];
  }

  async #work(ready: Line[], isOn: () => boolean): Promise<void> {
    let failures = 0;
    for (let lines = take(ready); lines.length > 0; lines = take(ready)) {
      if (!isOn()) throw new Error('events are sent by another process by now');
      try {
        const sent = await this.#sender.call(lines.map(([first]) => first!.outgoing));
        const taken = sent.map((one) => one.taken);
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
}

function messageOf(event: EventView, isFifo: boolean): Message {
  const { id, type, group } = event;
  const written = (character: string) => `\\u${character.charCodeAt(0).toString(16)}`;
  const body = JSON.stringify(presentEvent(event)).replace(UNSENDABLE, written);
  const outgoing = { body, attributes: { type }, ...(isFifo && { group, deduplicationId: id }) };
  return { group, outgoing, bytes: bytesOf(outgoing) };
}

/** As many lines as have firsts that go into one call. */
function take(ready: Line[]): Line[] {
  return ready.splice(0, countForCall(firstSizes(ready)));
}

function* firstSizes(lines: readonly Line[]): Iterable<number> {
  for (const [first] of lines) yield first!.bytes;
}

import { setTimeout as sleep } from 'node:timers/promises';
import { SendMessageBatchCommand, SQSClient } from '@aws-sdk/client-sqs';
import type { SentBody } from './check-queue.ts';
import type { PlannedBody } from './event-plan.ts';

const BATCH = 10;
const SENDERS = 4;
const RETRY_MS = 200;

type Kept = SentBody & { readonly messageIds: Set<string>; unsure: number };

/** Sends events until the queue has acknowledged each message, and keeps what it knows of them. */
export class EventSender {
  readonly #client: SQSClient;
  readonly #sent = new Map<PlannedBody, Kept>();
  #isOpen = true;
  #isToSend = true;
  /** How many it has sent, whether acknowledged by now or not. */
  messages = 0;

  constructor(
    endpoint: string,
    readonly queueUrl: string,
  ) {
    const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
    // It counts its attempts itself.
    this.#client = new SQSClient({ region: 'us-east-1', endpoint, credentials, maxAttempts: 1 });
  }

  get sent(): readonly SentBody[] {
    return [...this.#sent.values()];
  }

  /** In this order, roughly. Waits before each call as long as `pace` does. */
  async send(messages: readonly PlannedBody[], pace = async () => {}): Promise<void> {
    const left = [...messages].reverse();
    const work = async () => {
      while (left.length > 0 && this.#isToSend) {
        await pace();
        const batch = left.splice(-BATCH).reverse();
        this.messages += batch.length;
        // Known before it is there.
        await this.#sendBatch(batch.map((body) => this.#keep(body)));
      }
    };
    await Promise.all(Array.from({ length: SENDERS }, work));
  }

  /** Begins to send nothing more; what it has begun to send it sends. */
  cease(): void {
    this.#isToSend = false;
  }

  close(): void {
    this.cease();
    this.#isOpen = false;
    this.#client.destroy();
  }

  #keep(body: PlannedBody): Kept {
    const kept = this.#sent.get(body) ?? { ...body, messageIds: new Set<string>(), unsure: 0 };
    this.#sent.set(body, kept);
    return kept;
  }

  async #sendBatch(bodies: readonly Kept[]): Promise<void> {
    for (let left = bodies; left.length > 0 && this.#isOpen; ) {
      const Entries = left.map(({ text }, i) => ({ Id: String(i), MessageBody: text }));
      const command = new SendMessageBatchCommand({ QueueUrl: this.queueUrl, Entries });
      const answer = await this.#client.send(command).catch(() => null);
      if (answer === null) for (const body of left) body.unsure++;
      const taken = new Map((answer?.Successful ?? []).map(({ Id, MessageId }) => [Id, MessageId!]));
      for (const [i, body] of left.entries()) {
        const id = taken.get(String(i));
        if (id !== undefined) body.messageIds.add(id);
      }
      left = left.filter((_, i) => !taken.has(String(i)));
      if (left.length > 0) await sleep(RETRY_MS);
    }
  }
}

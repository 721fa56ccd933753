import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';

export interface QueueTarget {
  readonly url: string;
  /** Of an SQS-compatible server; null: as the AWS SDK finds it. */
  readonly endpoint: string | null;
  readonly region: string | null;
}

export interface QueueEvent {
  /** The idempotency key. */
  readonly id: string;
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** Sends events to an SQS queue, one a message. Credentials come as the AWS SDK finds them. */
export class QueueSender {
  readonly #client: SQSClient;
  readonly #url: string;
  readonly #timeoutMs: number;

  constructor(
    { url, endpoint, region }: QueueTarget,
    { connectionsMax, timeoutMs }: { connectionsMax: number; timeoutMs: number },
  ) {
    this.#url = url;
    this.#timeoutMs = timeoutMs;
    this.#client = new SQSClient({
      ...(endpoint === null ? {} : { endpoint }),
      ...(region === null ? {} : { region }),
      maxAttempts: 1,
      requestHandler: {
        requestTimeout: timeoutMs,
        throwOnRequestTimeout: true,
        httpAgent: { maxSockets: connectionsMax, keepAlive: true },
        httpsAgent: { maxSockets: connectionsMax, keepAlive: true },
      },
    });
  }

  /** Resolves when the queue has taken it, rejects soon after the timeout at the latest. `group`: what is kept in order, in a FIFO queue. */
  async send(event: QueueEvent, group: string): Promise<void> {
    const fifo = this.#url.endsWith('.fifo') ? { MessageGroupId: group, MessageDeduplicationId: event.id } : {};
    await this.#client.send(
      new SendMessageCommand({ QueueUrl: this.#url, MessageBody: JSON.stringify(event), ...fifo }),
      // The client's own timeout ends with the headers of the answer.
      { abortSignal: AbortSignal.timeout(this.#timeoutMs) },
    );
  }

  close(): void {
    this.#client.destroy();
  }
}

/**
 * The SQS server of the tests. By default the embedded one; `KVITT_TEST_SQS=elasticmq` runs the same tests on ElasticMQ
 * (see test/support/elasticmq.ts for what that needs).
 */
import { randomUUID } from 'node:crypto';
import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  type SendMessageBatchRequestEntry,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import { afterAll, afterEach, beforeAll, beforeEach, vi } from 'vitest';
import type { Log } from '../../../src/ledger/ports.ts';
import { createSqsClient } from '../../../src/queue/client.ts';
import { Consumer } from '../../../src/queue/consumer.ts';
import { startEmbeddedSqs } from '../../../src/queue/embedded.ts';
import type { ConsumerSettings } from '../../../src/queue/settings.ts';
import { startElasticMq } from '../../support/elasticmq.ts';
import { MemoryPayments } from './memory-payments.ts';

const CREDENTIALS = { accessKeyId: 'test', secretAccessKey: 'test' };
export const WAIT_MS = 40_000;

export function clientOf(endpoint: string): SQSClient {
  return createSqsClient({ region: 'us-east-1', endpoint, credentials: CREDENTIALS });
}

export interface TestSqs {
  readonly endpoint: string;
  readonly client: SQSClient;
  stop(): Promise<void>;
}

export async function startTestSqs(kind = process.env.KVITT_TEST_SQS): Promise<TestSqs> {
  const server = kind === 'elasticmq' ? await startElasticMq() : await startEmbeddedSqs({ queues: [] });
  const client = clientOf(server.endpoint);
  const stop = async () => {
    client.destroy();
    await server.stop();
  };
  return { endpoint: server.endpoint, client, stop };
}

/** A pair of new queues, what can be seen of them, and consumers of them. */
export class TestQueues {
  /** Is the server the embedded one? Some speed up what they do then. */
  readonly embedded = process.env.KVITT_TEST_SQS === undefined;
  readonly warnings: string[] = [];
  readonly #consumers: Consumer[] = [];

  private constructor(
    readonly client: SQSClient,
    readonly queueUrl: string,
    readonly deadLetterQueueUrl: string,
  ) {}

  static async create(client: SQSClient, { fifo = false } = {}): Promise<TestQueues> {
    const name = randomUUID();
    const [queueUrl, deadLetterQueueUrl] = await Promise.all([
      fifo ? createQueue(client, `events-${name}.fifo`, { FifoQueue: 'true' }) : createQueue(client, `events-${name}`),
      createQueue(client, `events-${name}-dlq`),
    ]);
    return new TestQueues(client, queueUrl, deadLetterQueueUrl);
  }

  /** `client`: another one, e.g. through a faulty proxy. */
  consume(
    payments: MemoryPayments,
    settings: Partial<ConsumerSettings> = {},
    client: SQSClient = this.client,
  ): Consumer {
    const consumer = new Consumer(
      { client, payments, log: this.#log() },
      {
        queueUrl: this.queueUrl,
        deadLetterQueueUrl: this.deadLetterQueueUrl,
        waitSeconds: 1,
        visibilityTimeoutSeconds: 30,
        receiversMax: 2,
        ...settings,
      },
    );
    this.#consumers.push(consumer);
    return consumer;
  }

  async send(...bodies: string[]): Promise<void> {
    await this.sendEntries(bodies.map((body) => ({ MessageBody: body })));
  }

  /** To a FIFO queue: each with its group. */
  async sendInGroups(messages: readonly (readonly [group: string, body: string])[]): Promise<void> {
    await this.sendEntries(
      messages.map(([group, body]) => ({
        MessageBody: body,
        MessageGroupId: group,
        MessageDeduplicationId: randomUUID(),
      })),
    );
  }

  async sendEntries(messages: readonly Omit<SendMessageBatchRequestEntry, 'Id'>[]): Promise<void> {
    for (let from = 0; from < messages.length; from += 10) {
      const entries = messages.slice(from, from + 10).map((message, index) => ({ Id: String(index), ...message }));
      const answer = await this.client.send(new SendMessageBatchCommand({ QueueUrl: this.queueUrl, Entries: entries }));
      if (answer.Failed?.length) throw new Error(`not sent: ${JSON.stringify(answer.Failed)}`);
    }
  }

  /** Waits until the queue holds nothing, visible or not, and the consumers know it. */
  async drained(): Promise<void> {
    await vi.waitFor(
      async () => {
        const left = await this.size();
        if (left !== 0) throw new Error(`${left} messages are still in the queue`);
        const inFlight = this.#consumers.reduce((sum, consumer) => sum + consumer.stats().inFlight, 0);
        if (inFlight !== 0) throw new Error(`${inFlight} messages are still in hand`);
      },
      { timeout: WAIT_MS, interval: 50 },
    );
  }

  /** Messages in the queue, visible and hidden ones. */
  async size(): Promise<number> {
    const { Attributes } = await this.client.send(
      new GetQueueAttributesCommand({
        QueueUrl: this.queueUrl,
        AttributeNames: ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible'],
      }),
    );
    return Number(Attributes?.ApproximateNumberOfMessages) + Number(Attributes?.ApproximateNumberOfMessagesNotVisible);
  }

  /** All that is in the dead-letter queue, by body: its attributes as text. */
  async deadLetters(): Promise<Map<string, Record<string, string | undefined>>> {
    const letters = new Map<string, Record<string, string | undefined>>();
    for (;;) {
      const { Messages } = await this.client.send(
        new ReceiveMessageCommand({
          QueueUrl: this.deadLetterQueueUrl,
          MaxNumberOfMessages: 10,
          VisibilityTimeout: 600,
          MessageAttributeNames: ['All'],
        }),
      );
      if (!Messages?.length) return letters;
      for (const message of Messages) letters.set(message.Body ?? '', attributesOf(message));
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.#consumers.map((consumer) => consumer.stop(WAIT_MS)));
  }

  #log(): Log {
    const quiet = () => {};
    const keep = (_: object, message: string) => void this.warnings.push(message);
    return { debug: quiet, info: keep, warn: keep, error: keep };
  }
}

/** What each test of a file gets anew, but for the server, which they share. */
export interface QueueWorld {
  readonly sqs: TestSqs;
  readonly queues: TestQueues;
  readonly payments: MemoryPayments;
}

/** Starts a server for the tests of a file; each of them is given new queues of it, and payments of accounts with so much. */
export function useQueues(
  give: (world: QueueWorld) => void,
  balances: Record<string, bigint> = { alice: 1_000n, bob: 0n },
): void {
  let sqs: TestSqs;
  let queues: TestQueues;
  beforeAll(async () => {
    sqs = await startTestSqs();
  });
  beforeEach(async () => {
    queues = await TestQueues.create(sqs.client);
    give({ sqs, queues, payments: new MemoryPayments(balances) });
  });
  afterEach(() => queues.stop());
  afterAll(() => sqs.stop());
}

async function createQueue(client: SQSClient, name: string, attributes?: Record<string, string>): Promise<string> {
  const { QueueUrl } = await client.send(new CreateQueueCommand({ QueueName: name, Attributes: attributes }));
  if (QueueUrl === undefined) throw new Error(`no URL for the queue ${name}`);
  return QueueUrl;
}

function attributesOf(message: Message): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(message.MessageAttributes ?? {}).map(([name, attribute]) => [name, attribute.StringValue]),
  );
}

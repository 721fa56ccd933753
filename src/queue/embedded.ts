import { CreateQueueCommand, type QueueAttributeName } from '@aws-sdk/client-sqs';
import { buildApp } from 'fauxqs';
import { createSqsClient } from './client.ts';

export const EVENTS_QUEUE = 'kvitt-events';
export const DEAD_LETTER_QUEUE = 'kvitt-events-dlq';

const HOST = '127.0.0.1';
const REGION = 'us-east-1';
/** The embedded server takes any; the SDK insists on some. */
const CREDENTIALS = {
  accessKeyId: 'embedded',
  secretAccessKey: 'embedded',
} as const;
/** Dead letters wait for a person: the longest that SQS keeps a message, 14 days. */
const DEAD_LETTER_RETENTION_SECONDS = 1_209_600;

export interface QueueSpec {
  readonly name: string;
  readonly attributes?: Partial<Record<QueueAttributeName, string>>;
}

const DEFAULT_QUEUES: readonly QueueSpec[] = [
  { name: EVENTS_QUEUE },
  {
    name: DEAD_LETTER_QUEUE,
    attributes: {
      MessageRetentionPeriod: String(DEAD_LETTER_RETENTION_SECONDS),
    },
  },
];

export interface EmbeddedSqs {
  /** `http://127.0.0.1:<port>`; always give it to the client's constructor. */
  readonly endpoint: string;
  readonly region: string;
  readonly credentials: {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
  };
  /** Queue URLs by queue name. */
  readonly queueUrls: ReadonlyMap<string, string>;
  stop(): Promise<void>;
}

/**
 * Starts an SQS-compatible server inside this process, on the loopback interface only, with its queues. Messages live
 * in memory and end with the process. `port` 0 or unset: any free one.
 *
 * Throws when the port is taken.
 */
export async function startEmbeddedSqs(
  options: { port?: number; queues?: readonly QueueSpec[] } = {},
): Promise<EmbeddedSqs> {
  const app = buildApp({ logger: false, defaultRegion: REGION });
  const endpoint = await app.listen({ host: HOST, port: options.port ?? 0 });
  try {
    const queueUrls = await createQueues(endpoint, options.queues ?? DEFAULT_QUEUES);
    return {
      endpoint,
      region: REGION,
      credentials: CREDENTIALS,
      queueUrls,
      stop: async () => {
        await app.close();
      },
    };
  } catch (error) {
    await app.close();
    throw error;
  }
}

async function createQueues(endpoint: string, queues: readonly QueueSpec[]): Promise<Map<string, string>> {
  const client = createSqsClient({
    region: REGION,
    endpoint,
    credentials: CREDENTIALS,
  });
  try {
    const urls = new Map<string, string>();
    for (const { name, attributes } of queues) {
      const { QueueUrl } = await client.send(new CreateQueueCommand({ QueueName: name, Attributes: attributes }));
      if (QueueUrl === undefined) throw new Error(`the SQS server gave no URL for the new queue ${name}`);
      urls.set(name, QueueUrl);
    }
    return urls;
  } finally {
    client.destroy();
  }
}

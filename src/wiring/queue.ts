import type { Logger } from 'pino';
import { type Config, ConfigError } from '../config.ts';
import { createSqsClient, queueUrlOf } from '../queue/client.ts';
import { DeadLetterOffice, type OfficeParts } from '../queue/dead-letter-office.ts';
import { DEAD_LETTER_QUEUE, EVENTS_QUEUE, startEmbeddedSqs } from '../queue/embedded.ts';
import type { Closers } from './closers.ts';
import type { Storage } from './storage.ts';

/** The queue of events and the one of their dead letters. */
export interface Queues extends Pick<OfficeParts, 'client' | 'queueUrl' | 'deadLetterQueueUrl'> {
  /** Null: AWS itself. */
  readonly endpoint: string | null;
  /** It runs in this process. */
  readonly embedded: boolean;
}

/** Null: there is no queue. */
export async function openQueues(
  config: Config,
  log: Logger,
  { storage, closers }: { readonly storage: Storage; readonly closers: Closers },
): Promise<Queues | null> {
  const given = await queuesOf(config);
  if (given !== null) {
    closers.add(async () => given.client.destroy());
    return given;
  }
  // Whoever brings a database of their own brings a queue of their own, or wants none.
  if (!storage.embedded) return null;
  log.info('SQS_QUEUE_URL is not set: starting an embedded SQS server, whose messages do not survive a restart');
  const server = await startEmbeddedSqs();
  closers.add(() => server.stop());
  const client = createSqsClient(server);
  closers.add(async () => client.destroy());
  return {
    client,
    queueUrl: server.queueUrls.get(EVENTS_QUEUE)!,
    deadLetterQueueUrl: server.queueUrls.get(DEAD_LETTER_QUEUE)!,
    endpoint: server.endpoint,
    embedded: true,
  };
}

/** Runs something with the dead letters of the queues that the settings name. */
export async function withDeadLetters<T>(config: Config, run: (office: DeadLetterOffice) => Promise<T>): Promise<T> {
  const queues = await queuesOf(config);
  if (queues === null) {
    throw new ConfigError('Set SQS_QUEUE_URL and SQS_DEAD_LETTER_QUEUE_URL to the queues whose dead letters you mean.');
  }
  try {
    return await run(new DeadLetterOffice(queues));
  } finally {
    queues.client.destroy();
  }
}

/** Null: the settings name none. */
async function queuesOf(config: Config): Promise<Queues | null> {
  const { SQS_QUEUE_URL: events, SQS_DEAD_LETTER_QUEUE_URL: deadLetters, SQS_ENDPOINT: endpoint } = config;
  if (events === undefined || deadLetters === undefined) return null;
  const client = createSqsClient({ region: config.AWS_REGION, endpoint });
  try {
    const queueUrl = await queueUrlOf(client, events);
    const deadLetterQueueUrl = await queueUrlOf(client, deadLetters);
    return { client, queueUrl, deadLetterQueueUrl, endpoint: endpoint ?? null, embedded: false };
  } catch (error) {
    client.destroy();
    throw error;
  }
}

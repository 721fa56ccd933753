import type { Logger } from 'pino';
import type { Config } from '../config.ts';
import type { Metrics } from '../metrics.ts';
import type { PaymentsService } from '../payments/service.ts';
import { createSqsClient, queueUrlOf } from '../queue/client.ts';
import { Consumer } from '../queue/consumer.ts';
import { DEAD_LETTER_QUEUE, EVENTS_QUEUE, startEmbeddedSqs } from '../queue/embedded.ts';
import type { Tracing } from '../tracing/tracing.ts';
import type { Closers } from './closers.ts';
import type { Storage } from './storage.ts';

const EMBEDDED_SQS_WAIT_SECONDS_MAX = 1;

/** The queue that is consumed. */
export interface Consumed {
  readonly endpoint: string | null;
  readonly queueUrl: string;
}

interface Consuming {
  readonly payments: PaymentsService;
  readonly metrics: Metrics;
  readonly tracing: Tracing | null;
  readonly storage: Storage;
  readonly closers: Closers;
}

/** Null: there is no queue. */
export async function consume(
  config: Config,
  log: Logger,
  { payments, metrics, tracing, storage, closers }: Consuming,
): Promise<Consumed | null> {
  let queueUrl = config.SQS_QUEUE_URL;
  let deadLetterQueueUrl = config.SQS_DEAD_LETTER_QUEUE_URL;
  let waitSeconds = config.SQS_WAIT_SECONDS;
  let connection: Parameters<typeof createSqsClient>[0] = {
    region: config.AWS_REGION,
    ...(config.SQS_ENDPOINT === undefined ? {} : { endpoint: config.SQS_ENDPOINT }),
  };
  if (queueUrl === undefined || deadLetterQueueUrl === undefined) {
    // Whoever brings a database of their own brings a queue of their own, or wants none.
    if (!storage.embedded) return null;
    log.info('SQS_QUEUE_URL is not set: starting an embedded SQS server, whose messages do not survive a restart');
    const embedded = await startEmbeddedSqs();
    closers.add(() => embedded.stop());
    queueUrl = embedded.queueUrls.get(EVENTS_QUEUE)!;
    deadLetterQueueUrl = embedded.queueUrls.get(DEAD_LETTER_QUEUE)!;
    connection = embedded;
    // In memory a message is there at once, and nobody wants to wait for a long poll when they press Ctrl-C.
    waitSeconds = Math.min(waitSeconds, EMBEDDED_SQS_WAIT_SECONDS_MAX);
  }
  const client = createSqsClient(connection);
  closers.add(async () => client.destroy());
  [queueUrl, deadLetterQueueUrl] = (await Promise.all(
    [queueUrl, deadLetterQueueUrl].map((queue) => queueUrlOf(client, queue)),
  )) as [string, string];
  const consumer = new Consumer(
    {
      client,
      payments,
      log,
      onCount: metrics.countMessages(),
      ...(tracing === null ? {} : { tracer: tracing.messages }),
    },
    {
      queueUrl,
      deadLetterQueueUrl,
      waitSeconds,
      visibilityTimeoutSeconds: config.SQS_VISIBILITY_TIMEOUT_SECONDS,
      receiversMax: config.SQS_CONCURRENCY,
      inHandMax: config.SQS_MESSAGES_IN_HAND_MAX,
      maxReceiveCount: config.SQS_RECEIVES_MAX,
      maxAgeSeconds: config.SQS_AGE_MAX_SECONDS,
      poisonInGroup: config.SQS_POISON_IN_GROUP,
    },
  );
  metrics.watchConsumer(consumer);
  // A receive under way is let end, and only then the grace time counts.
  closers.add(() => consumer.stop(waitSeconds * 1000 + config.SHUTDOWN_GRACE_MS));
  log.info({ queueUrl }, 'consuming payment events');
  return { endpoint: connection.endpoint ?? null, queueUrl };
}

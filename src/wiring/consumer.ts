import type { Logger } from 'pino';
import type { Config } from '../config.ts';
import type { Metrics } from '../metrics.ts';
import type { PaymentsService } from '../payments/service.ts';
import { Consumer } from '../queue/consumer.ts';
import type { Tracing } from '../tracing/tracing.ts';
import type { Closers } from './closers.ts';
import type { Queues } from './queue.ts';

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
  readonly closers: Closers;
}

export function consume(
  config: Config,
  log: Logger,
  { client, queueUrl, deadLetterQueueUrl, endpoint, embedded }: Queues,
  { payments, metrics, tracing, closers }: Consuming,
): Consumed {
  // In memory a message is there at once, and nobody wants to wait for a long poll when they press Ctrl-C.
  const waitSeconds = embedded
    ? Math.min(config.SQS_WAIT_SECONDS, EMBEDDED_SQS_WAIT_SECONDS_MAX)
    : config.SQS_WAIT_SECONDS;
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
  return { endpoint, queueUrl };
}

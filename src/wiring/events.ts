import type { Db } from 'mongodb';
import type { Logger } from 'pino';
import type { Config } from '../config.ts';
import { Publisher } from '../events/publisher.ts';
import { EventStreams, followedStreams } from '../events/streams.ts';
import { Checkpoints } from '../mongo/checkpoints.ts';
import { MongoJournalQueries } from '../mongo/journal-queries.ts';
import { MongoLease } from '../mongo/leases.ts';
import { MongoNotices } from '../mongo/notices.ts';
import { Follower, type IsOurs } from '../payments/follower.ts';
import { createSqsClient, queueUrlOf } from '../queue/client.ts';
import { SqsEventSink } from '../queue/event-sink.ts';
import { pause } from '../queue/pause.ts';

const POLL_MS = 100;

/** What is told outside, while it runs. */
export interface Told {
  readonly follower: Follower;
  readonly publisher: Publisher;
  stop(): Promise<void>;
}

/** Sends events to the queue of the settings; null: there is none. Started. */
export async function publishEvents(
  config: Config,
  db: Db,
  log: Logger,
  books: number,
  isOurs: IsOurs,
): Promise<Told | null> {
  const { SQS_OUT_QUEUE_URL: queue, SQS_ENDPOINT: endpoint, AWS_REGION: region } = config;
  if (queue === undefined) return null;
  const client = createSqsClient({ region, endpoint });
  const queueUrl = await queueUrlOf(client, queue);
  const publisher = new Publisher({
    outbox: new EventStreams(new MongoJournalQueries(db), new MongoNotices(db)),
    sink: new SqsEventSink({ client, queueUrl }),
    progress: new Checkpoints(db, 'events'),
    lease: (stream) => new MongoLease(db, `events:${stream}`),
  });
  const follower = new Follower({
    name: 'what is sent to SQS',
    projection: publisher,
    ...followedStreams(books, isOurs),
    log,
    pollMs: POLL_MS,
  });
  follower.start();
  log.info({ queueUrl }, 'sending events');
  return {
    follower,
    publisher,
    stop: async () => {
      // A queue that does not answer must not keep the rest of the service from ending.
      const waited = new AbortController();
      await Promise.race([follower.stop(), pause(config.SHUTDOWN_GRACE_MS, waited.signal)]);
      waited.abort();
      await publisher.close();
      client.destroy();
    },
  };
}

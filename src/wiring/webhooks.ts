import type { Db } from 'mongodb';
import type { Logger } from 'pino';
import type { Config } from '../config.ts';
import { EventFeed } from '../events/feed.ts';
import { EventStreams, followedStreams } from '../events/streams.ts';
import { MongoAuditLog } from '../mongo/audit-log.ts';
import { Checkpoints } from '../mongo/checkpoints.ts';
import { withFaultsNamed } from '../mongo/faults.ts';
import { MongoJournalQueries } from '../mongo/journal-queries.ts';
import { MongoNotices } from '../mongo/notices.ts';
import { MongoWebhookDeliveries } from '../mongo/webhook-deliveries.ts';
import { MongoWebhookEndpoints } from '../mongo/webhook-endpoints.ts';
import { Follower, type IsOurs } from '../payments/follower.ts';
import { Deliverer } from '../webhooks/deliverer.ts';
import { FanOut } from '../webhooks/fan-out.ts';
import { Poster } from '../webhooks/post.ts';
import { WebhooksService } from '../webhooks/service.ts';

const POLL_MS = 250;
const STOP_MS_MAX = 2_000;

export interface RunningWebhooks {
  readonly service: WebhooksService;
  readonly follower: Follower;
  readonly deliverer: Deliverer;
  stop(): Promise<void>;
}

/** Delivers events to those who asked for them. Started. */
export function deliverWebhooks(config: Config, db: Db, log: Logger, books: number, isOurs: IsOurs): RunningWebhooks {
  const privateAddresses = config.WEBHOOK_PRIVATE_ADDRESSES === 'true';
  const endpoints = new MongoWebhookEndpoints(db);
  const deliveries = new MongoWebhookDeliveries(db);
  const journal = new MongoJournalQueries(db);
  const notices = new MongoNotices(db);
  const events = new EventFeed(journal, notices);
  const poster = new Poster(privateAddresses);
  const progress = new Checkpoints(db, 'webhooks');
  const projection = new FanOut({ streams: new EventStreams(journal, notices), progress, endpoints, deliveries });
  const streams = followedStreams(books, isOurs);
  const follower = new Follower({ name: 'what is to be delivered', projection, ...streams, log, pollMs: POLL_MS });
  const audit = new MongoAuditLog(db);
  const deliverer = new Deliverer({
    endpoints,
    deliveries,
    events,
    post: poster.post,
    log,
    clock: Date.now,
    onDisabled: ({ id, url }, reason) =>
      audit.record({
        actor: 'kvitt',
        action: 'webhook_endpoint_disabled',
        target: `webhook_endpoint ${id}`,
        details: { host: new URL(url).host, reason },
      }),
  });
  follower.start();
  deliverer.start();
  return {
    service: new WebhooksService({
      endpoints: withFaultsNamed(endpoints, ['insert', 'update', 'replaceSecrets', 'remove']),
      deliveries: withFaultsNamed(deliveries, ['plan', 'again', 'restart', 'remove']),
      events: withFaultsNamed(events),
      privateAddresses,
    }),
    follower,
    deliverer,
    stop: async () => {
      await follower.stop();
      // What is not answered by then ends as unanswered, and is tried again.
      const cutOff = setTimeout(() => void poster.close(), STOP_MS_MAX);
      await deliverer.stop();
      clearTimeout(cutOff);
      await poster.close();
    },
  };
}

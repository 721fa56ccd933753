import { afterEach, beforeEach, expect, it } from 'vitest';
import type { EventView } from '../../src/events/types.ts';
import { Deliverer } from '../../src/webhooks/deliverer.ts';
import type { Post } from '../../src/webhooks/post.ts';
import type { Delivery, WebhookEndpoint } from '../../src/webhooks/types.ts';
import { quietLog } from '../support/log.ts';

let due: Delivery[];
let delivered: string[];
let post: Post;
/** What looking for something due to an endpoint takes, ms. */
let takeMs: Record<string, number>;
let deliverer: Deliverer;

beforeEach(() => {
  due = [];
  delivered = [];
  takeMs = {};
  post = async () => ({ status: 200, result: 'HTTP 200' });
  deliverer = new Deliverer({
    endpoints: {
      insert: () => unused(),
      all: async () => [endpoint('first'), endpoint('second')],
      get: () => unused(),
      update: () => unused(),
      replaceSecrets: () => unused(),
      disableUnlessDelivered: async () => false,
      deliveredAt: async () => undefined,
      remove: () => unused(),
    },
    deliveries: {
      take: async (id) => {
        if (takeMs[id] !== undefined) await new Promise((resolve) => setTimeout(resolve, takeMs[id]));
        const taken = due.filter((one) => one.endpoint === id);
        due = due.filter((one) => one.endpoint !== id);
        return taken;
      },
      settle: async ({ eventId }, { status }) => {
        if (status === 'delivered') delivered.push(eventId);
      },
    },
    events: { find: async (ids) => new Map(ids.map((id) => [id, event(id)])) },
    post: (...asked) => post(...asked),
    log: quietLog,
    clock: Date.now,
    onDisabled: async () => undefined,
  });
});
afterEach(() => deliverer.stop());

it('goes on when all that it began was at its end before it had looked for more', async () => {
  takeMs = { second: 50 };
  due.push(delivery('first', 'evt_1'));
  deliverer.start();
  await expect.poll(() => delivered).toEqual(['evt_1']);
  await new Promise((resolve) => setTimeout(resolve, 100));
  due.push(delivery('first', 'evt_2'));
  await expect.poll(() => delivered).toEqual(['evt_1', 'evt_2']);
});

function unused(): never {
  throw new Error('the deliverer needs none of this');
}

function endpoint(id: string): WebhookEndpoint {
  return {
    id,
    url: `https://${id}.example`,
    types: null,
    description: null,
    status: 'enabled',
    disabledReason: null,
    secrets: [{ secret: 'whsec_test', until: null }],
    createdAt: new Date(0),
    lastDeliveredAt: null,
  };
}

function delivery(endpoint: string, eventId: string): Delivery {
  return {
    endpoint,
    eventId,
    type: 'account.changed',
    status: 'pending',
    attempts: 1,
    since: new Date(),
    lastAttemptAt: null,
    nextAttemptAt: new Date(),
    lastResult: null,
  };
}

function event(id: string): EventView {
  return {
    id,
    type: 'account.changed',
    createdAt: new Date(0),
    transactionId: id.replace('evt_', 'txn_'),
    askedBy: { requestId: null, idempotencyKey: null },
    group: 'alice',
    accounts: ['alice'],
    book: 0,
    height: 1,
    index: 0,
    subject: {
      kind: 'account_state',
      state: { account: 'alice', status: 'open', minBalance: null, maxBalance: null },
    },
  };
}

/** Deliveries as several processes take them, and how they are found. */
import { beforeAll, describe, expect, it } from 'vitest';
import { migrateUp } from '../../src/mongo/migrate.ts';
import { MongoWebhookDeliveries } from '../../src/mongo/webhook-deliveries.ts';
import { MongoWebhookEndpoints } from '../../src/mongo/webhook-endpoints.ts';
import { Deliverer } from '../../src/webhooks/deliverer.ts';
import type { NewDelivery } from '../../src/webhooks/ports.ts';
import { WebhooksService } from '../../src/webhooks/service.ts';
import { useDatabase } from '../support/database.ts';
import { quietLog } from '../support/log.ts';
import { withPlans } from '../support/plans.ts';
import { anEndpoint, anEvent } from '../webhooks/support/memory-webhooks.ts';

const database = useDatabase();
const EVENTS = 2_000;
const LIMIT = 10;
const OK = { status: 'delivered', nextAttemptAt: null, lastResult: 'HTTP 200' } as const;
const idOf = (n: number) => `evt_${String(n).padStart(6, '0')}`;

function plans(endpoint: string, count: number, since = new Date()): NewDelivery[] {
  return Array.from({ length: count }, (_, n) => ({ endpoint, eventId: idOf(n), type: 'account.changed', since }));
}

beforeAll(() => migrateUp(database.db));

describe('deliveries', () => {
  it('are each taken by one of many who take at once', async () => {
    const deliveries = new MongoWebhookDeliveries(database.db);
    await deliveries.plan(plans('we_race', 200));
    const taken: string[] = [];
    const takeAll = async () => {
      for (;;) {
        const now = new Date();
        const found = await deliveries.take('we_race', now, new Date(now.getTime() + 60_000), 8);
        taken.push(...found.map(({ eventId }) => eventId));
        const { data } = await deliveries.list('we_race', { limit: 1, status: 'pending' });
        for (const one of found) await deliveries.settle(one, OK);
        if (found.length === 0 && data.length === 0) return;
      }
    };
    await Promise.all(Array.from({ length: 6 }, takeAll));
    expect(taken).toHaveLength(200);
    expect(new Set(taken).size).toBe(200);
  });

  it('that waited for longer than a day are tried for another one when their endpoint is enabled again', async () => {
    const { db } = database;
    const [endpoints, deliveries] = [new MongoWebhookEndpoints(db), new MongoWebhookDeliveries(db)];
    await endpoints.insert({ ...anEndpoint('we_back'), status: 'disabled', disabledReason: 'it took nothing' }, 50);
    const before = new Date(Date.now() - 2 * 24 * 3_600_000);
    await deliveries.plan(plans('we_back', 3, before));
    const events = { find: async () => new Map() };
    const service = new WebhooksService({ endpoints, deliveries, events, privateAddresses: true });
    await service.enable('we_back');
    const now = new Date();
    const found = await deliveries.take('we_back', now, new Date(now.getTime() + 60_000), 8);
    expect(found).toHaveLength(3);
    for (const { since } of found) expect(now.getTime() - since.getTime()).toBeLessThan(60_000);
    // Those of one that was not disabled go on as they are.
    await service.enable('we_back');
    expect((await deliveries.take('we_back', now, now, 8)).length).toBe(0);
  });

  it('are never tried by two deliverers at once, and each is delivered', async () => {
    const { db } = database;
    const endpoints = new MongoWebhookEndpoints(db);
    await endpoints.insert(anEndpoint('we_two'), 50);
    const deliveries = new MongoWebhookDeliveries(db);
    await deliveries.plan(plans('we_two', 600));
    const underWay = new Set<string>();
    const posted: string[] = [];
    const deliverers = Array.from({ length: 2 }, () => {
      return new Deliverer({
        endpoints,
        deliveries,
        events: { find: async (ids) => new Map(ids.map((id) => [id, anEvent(id)])) },
        post: async (_url, _body, headers) => {
          const id = headers['kvitt-event-id']!;
          expect(underWay.has(id)).toBe(false);
          underWay.add(id);
          await new Promise((resolve) => setTimeout(resolve, 5 * Math.random()));
          underWay.delete(id);
          posted.push(id);
          return { status: 200, result: 'HTTP 200' };
        },
        log: quietLog,
        clock: Date.now,
        onDisabled: async () => undefined,
      });
    });
    for (const deliverer of deliverers) deliverer.start();
    await expect.poll(() => posted.length, { timeout: 20_000 }).toBe(600);
    await Promise.all(deliverers.map((deliverer) => deliverer.stop()));
    expect(new Set(posted).size).toBe(600);
    expect((await deliveries.list('we_two', { limit: 1, status: 'pending' })).data).toEqual([]);
    for (const { counts } of deliverers) expect(counts.delivered).toBeGreaterThan(0);
  });

  it('that were sent off anew are not settled by an attempt of before', async () => {
    const deliveries = new MongoWebhookDeliveries(database.db);
    await deliveries.plan(plans('we_anew', 1, new Date(Date.now() - 5_000)));
    const now = new Date();
    const until = new Date(now.getTime() + 60_000);
    const [first] = await deliveries.take('we_anew', now, until, 1);
    await deliveries.again('we_anew', idOf(0), now);
    const [second] = await deliveries.take('we_anew', now, until, 1);
    expect([first!.attempts, second!.attempts]).toEqual([1, 1]);
    await deliveries.settle(second!, OK);
    await deliveries.settle(first!, { status: 'pending', nextAttemptAt: now, lastResult: 'HTTP 500' });
    const { data } = await deliveries.list('we_anew', { limit: 1 });
    expect(data).toMatchObject([{ status: 'delivered', attempts: 1, lastResult: 'HTTP 200' }]);
  });
});

it('secrets that are replaced by several at once all sign, and each is told its own', async () => {
  const endpoints = new MongoWebhookEndpoints(database.db);
  const deliveries = new MongoWebhookDeliveries(database.db);
  await endpoints.insert(anEndpoint('we_rotated'), 50);
  const events = { find: async () => new Map() };
  const service = new WebhooksService({ endpoints, deliveries, events, privateAddresses: true });
  const rotated = await Promise.all(Array.from({ length: 4 }, () => service.rotate('we_rotated', 60)));
  const kept = (await service.get('we_rotated')).secrets.map(({ secret }) => secret);
  expect(kept.sort()).toEqual(['whsec_1', ...rotated.map(({ secrets }) => secrets[0]!.secret)].sort());
});

describe('among many, deliveries are found where they stand', () => {
  const due = new Date();
  const until = new Date(due.getTime() + 60_000);

  beforeAll(async () => {
    const deliveries = new MongoWebhookDeliveries(database.db);
    for (const endpoint of ['we_a', 'we_b', 'we_c']) {
      await deliveries.plan(plans(endpoint, EVENTS, new Date(due.getTime() - 1_000)));
    }
    // Most are delivered, and those of another endpoint wait until later.
    for (let left = EVENTS - 50; left > 0; left -= 500) {
      const taken = await deliveries.take('we_a', due, until, Math.min(left, 500));
      await Promise.all(taken.map((one) => deliveries.settle(one, OK)));
    }
    await deliveries.take('we_b', due, until, EVENTS);
  });

  async function examined<T>(read: (deliveries: MongoWebhookDeliveries) => Promise<T>): Promise<[T, number]> {
    const { value, plans } = await withPlans(database.name, (db) => read(new MongoWebhookDeliveries(db)));
    expect(plans.length).toBeGreaterThan(0);
    for (const plan of plans) {
      expect(plan.scans, JSON.stringify(plan)).toBe(0);
      expect(plan.sorted, JSON.stringify(plan)).toBe(0);
    }
    return [value, Math.max(...plans.map(({ docsExamined, keysExamined }) => Math.max(docsExamined, keysExamined)))];
  }

  it.each([
    ['we_a', LIMIT],
    ['we_b', 0],
    ['we_none', 0],
  ])('when they are taken for %s', async (endpoint, count) => {
    const [taken, most] = await examined((deliveries) => deliveries.take(endpoint, due, until, LIMIT));
    expect(taken).toHaveLength(count);
    expect(most).toBeLessThanOrEqual(LIMIT + 1);
  });

  it.each([undefined, 'pending', 'delivered', 'failed'] as const)(
    'when those that are %s are listed',
    async (status) => {
      for (const startingAfter of [undefined, idOf(EVENTS - 100), idOf(50)]) {
        const [page, most] = await examined((one) => one.list('we_a', { limit: LIMIT, status, startingAfter }));
        expect(page.data.length).toBeLessThanOrEqual(LIMIT);
        expect(most).toBeLessThanOrEqual(LIMIT + 2);
      }
    },
  );

  it('and are forgotten after 30 days, by an index', async () => {
    const indexes = await database.db.collection('webhook_deliveries').indexes();
    expect(indexes.find(({ name }) => name === 'kept')).toMatchObject({
      key: { since: 1 },
      expireAfterSeconds: 30 * 24 * 3600,
    });
  });
});

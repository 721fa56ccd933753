import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import type { Log } from '../../src/ledger/ports.ts';
import { Deliverer, type DelivererDeps } from '../../src/webhooks/deliverer.ts';
import type { EventLookup } from '../../src/webhooks/ports.ts';
import type { Post, Posted } from '../../src/webhooks/post.ts';
import { quietLog } from '../support/log.ts';
import { anEndpoint, anEvent, EPOCH, MemoryWebhooks } from './support/memory-webhooks.ts';

const DAY_MS = 24 * 3_600_000;
const TAKEN_MS = 60_000;
const UNDER_WAY_MAX = 32;
const OK: Posted = { status: 200, result: 'HTTP 200' };
const DOWN: Posted = { status: 503, result: 'HTTP 503' };

const events: EventLookup = { find: async (ids) => new Map(ids.map((id) => [id, anEvent(id)])) };
const deliverers: Deliverer[] = [];

/** A clock that a test moves, one storage, and deliverers over both. */
class World {
  now = EPOCH;
  readonly reports: string[] = [];
  readonly logged: string[] = [];

  constructor(readonly webhooks: MemoryWebhooks) {}

  deliverer(post: Post, more: Partial<DelivererDeps> = {}): Deliverer {
    const error = (fields: object, message: string) => void this.logged.push(JSON.stringify(fields) + message);
    const log: Log = { ...quietLog, error };
    const deliverer = new Deliverer({
      endpoints: this.webhooks.endpoints as DelivererDeps['endpoints'],
      deliveries: this.webhooks,
      events,
      post,
      log,
      clock: () => this.now,
      onDisabled: async ({ id }) => void this.reports.push(id),
      ...more,
    });
    deliverers.push(deliverer);
    return deliverer;
  }

  plan(endpoint: string, ...eventIds: string[]): Promise<void> {
    const since = new Date(this.now);
    return this.webhooks.plan(eventIds.map((eventId) => ({ endpoint, eventId, type: 'account.changed', since })));
  }

  /** Lets the deliverers do all that is due, at each time at which something is, until then. */
  async liveUntil(end: number, ...these: Deliverer[]): Promise<void> {
    for (;;) {
      await Promise.all(these.map((one) => one.begin()));
      await Promise.all(these.map((one) => one.stop()));
      const enabled = [...this.webhooks.kept.values()].filter(
        ({ endpoint, status }) => status === 'pending' && this.webhooks.endpoint(endpoint).status === 'enabled',
      );
      const next = Math.min(...enabled.map(({ nextAttemptAt }) => nextAttemptAt!.getTime()));
      if (next > end) return;
      this.now = Math.max(this.now, next);
    }
  }
}

/** Answers when it is told to. */
class Held {
  readonly #waiting: { url: string; answer: (posted: Posted) => void }[] = [];
  most = 0;

  readonly post: Post = (url) => {
    return new Promise((answer) => {
      this.#waiting.push({ url, answer });
      this.most = Math.max(this.most, this.#waiting.length);
    });
  };

  get underWay(): number {
    return this.#waiting.length;
  }

  answer(posted: Posted, count = 1): void {
    for (const { answer } of this.#waiting.splice(0, count)) answer(posted);
  }
}

afterEach(async () => {
  await Promise.all(deliverers.splice(0).map((deliverer) => deliverer.stop()));
});

describe('an endpoint that never answers 2xx', () => {
  it('is tried for a day with growing, jittered pauses, and is then disabled and reported, once', async () => {
    const firstPauses = new Set<number>();
    for (let life = 0; life < 20; life++) {
      const world = new World(new MemoryWebhooks(anEndpoint('e')));
      const times: number[] = [];
      const deliverer = world.deliverer(async () => {
        times.push(world.now);
        return DOWN;
      });
      await world.plan('e', 'evt_1');
      await world.liveUntil(EPOCH + 10 * DAY_MS, deliverer);
      const pauses = times.slice(1).map((time, i) => time - times[i]!);
      pauses.slice(0, -1).forEach((pause, i) => {
        const most = Math.min(5_000 * 2 ** i, 4 * 3_600_000);
        expect(pause).toBeGreaterThanOrEqual(Math.floor(most / 2));
        expect(pause).toBeLessThanOrEqual(most);
      });
      firstPauses.add(pauses[0]!);
      expect(times.at(-1)).toBe(EPOCH + DAY_MS);
      expect(times.length).toBeGreaterThan(15);
      expect(times.length).toBeLessThan(35);
      expect(world.webhooks.of('e')).toMatchObject([{ status: 'failed', attempts: times.length, nextAttemptAt: null }]);
      expect(world.webhooks.endpoint('e').status).toBe('disabled');
      expect(world.reports).toEqual(['e']);
      expect(deliverer.counts).toEqual({ delivered: 0, refused: times.length - 1, failed: 1, disabled: 1 });
    }
    expect(firstPauses.size).toBeGreaterThan(10);
  });

  it('is reported once when many deliveries fail at once, to two deliverers', async () => {
    const world = new World(new MemoryWebhooks(anEndpoint('e')));
    const both = [world.deliverer(async () => DOWN), world.deliverer(async () => DOWN)];
    await world.plan('e', ...Array.from({ length: 30 }, (_, i) => `evt_${i}`));
    await world.liveUntil(EPOCH + 2 * DAY_MS, ...both);
    expect(world.reports).toEqual(['e']);
    expect(both[0]!.counts.disabled + both[1]!.counts.disabled).toBe(1);
  });

  it('is named in the log without what its URL keeps secret', async () => {
    const world = new World(new MemoryWebhooks(anEndpoint('e')));
    await world.plan('e', 'evt_1');
    await world.liveUntil(
      EPOCH + 2 * DAY_MS,
      world.deliverer(async () => DOWN),
    );
    expect(world.logged).toHaveLength(1);
    expect(world.logged[0]).toContain('e.example');
    expect(world.logged[0]).not.toContain('hidden');
  });

  it('is not disabled when it took another event that day', async () => {
    const world = new World(new MemoryWebhooks(anEndpoint('e')));
    const deliverer = world.deliverer(async (_url, _body, headers) =>
      headers['kvitt-event-id'] === 'evt_poison' ? DOWN : OK,
    );
    await world.plan('e', 'evt_poison');
    await world.liveUntil(EPOCH + DAY_MS / 2, deliverer);
    await world.plan('e', 'evt_good');
    await world.liveUntil(EPOCH + 2 * DAY_MS, deliverer);
    expect(world.webhooks.of('e').map(({ status }) => status)).toEqual(['failed', 'delivered']);
    expect(world.webhooks.endpoint('e').status).toBe('enabled');
    expect(world.reports).toEqual([]);
  });

  it('is disabled at once when it says that it is gone, also when it took events before', async () => {
    const world = new World(new MemoryWebhooks(anEndpoint('e', { lastDeliveredAt: new Date(EPOCH + 1) })));
    await world.plan('e', 'evt_1', 'evt_2');
    await world.liveUntil(
      EPOCH,
      world.deliverer(async () => ({ status: 410, result: 'HTTP 410' })),
    );
    expect(world.webhooks.endpoint('e').disabledReason).toBe('it answered HTTP 410 Gone');
    expect(world.reports).toEqual(['e']);
  });
});

describe('deliveries', () => {
  it('to an endpoint are never more under way than its limit', async () => {
    const world = new World(new MemoryWebhooks(anEndpoint('e')));
    const held = new Held();
    const deliverer = world.deliverer(held.post);
    await world.plan('e', ...Array.from({ length: 50 }, (_, i) => `evt_${i}`));
    deliverer.start();
    while (deliverer.counts.delivered < 50) {
      held.answer(OK, 1 + Math.floor(3 * Math.random()));
      await sleep(1);
    }
    expect(held.most).toBe(UNDER_WAY_MAX);
  });

  it('to one endpoint are not delayed by another that is slow', async () => {
    const world = new World(new MemoryWebhooks(anEndpoint('slow'), anEndpoint('quick')));
    const held = new Held();
    const quick: string[] = [];
    const deliverer = world.deliverer((url, body, headers) => {
      if (url.includes('slow')) return held.post(url, body, headers);
      quick.push(headers['kvitt-event-id']!);
      return Promise.resolve(OK);
    });
    await world.plan('slow', ...Array.from({ length: 40 }, (_, i) => `evt_${i}`));
    deliverer.start();
    await expect.poll(() => held.underWay).toBe(UNDER_WAY_MAX);
    for (const event of ['evt_a', 'evt_b', 'evt_c']) {
      await world.plan('quick', event);
      await expect.poll(() => quick, { interval: 10 }).toContain(event);
    }
    expect(held.underWay).toBe(UNDER_WAY_MAX);
    void deliverer.stop();
    held.answer(OK, 100);
  });

  it('that were taken by one who died are taken by another after their time, and not before', async () => {
    const world = new World(new MemoryWebhooks(anEndpoint('e')));
    const held = new Held();
    const posted: string[] = [];
    await world.plan('e', 'evt_1');
    await world.deliverer(held.post).begin();
    const another = world.deliverer(async (_url, _body, headers) => {
      posted.push(headers['kvitt-attempt']!);
      return OK;
    });
    world.now += TAKEN_MS - 1;
    expect(await another.begin()).toBe(0);
    world.now += 1;
    expect(await another.begin()).toBe(1);
    await another.stop();
    expect(posted).toEqual(['2']);
    // The first was only slow: what it has come to is no longer of interest.
    held.answer(DOWN);
    await expect.poll(() => deliverers[0]!.counts.refused).toBe(1);
    expect(world.webhooks.of('e')).toMatchObject([{ status: 'delivered', attempts: 2, lastResult: 'HTTP 200' }]);
  });

  it('that are sent off anew while they are under way are tried anew, and that counts', async () => {
    const world = new World(new MemoryWebhooks(anEndpoint('e')));
    const held = new Held();
    const deliverer = world.deliverer(held.post);
    await world.plan('e', 'evt_1');
    await deliverer.begin();
    world.now += 1_000;
    await world.webhooks.again('e', 'evt_1', new Date(world.now));
    expect(await world.deliverer(async () => OK).begin()).toBe(1);
    await expect.poll(() => world.webhooks.of('e')[0]!.status).toBe('delivered');
    held.answer(DOWN);
    await deliverer.stop();
    expect(world.webhooks.of('e')).toMatchObject([{ status: 'delivered', attempts: 1, lastResult: 'HTTP 200' }]);
  });

  it('of an event that cannot be looked up, or whose end cannot be written down, are tried by others later', async () => {
    const world = new World(new MemoryWebhooks(anEndpoint('e')));
    await world.plan('e', 'evt_1');
    const lost = world.deliverer(async () => OK, { events: { find: async () => new Map() } });
    expect(await lost.begin()).toBe(1);
    await lost.stop();
    expect(lost.counts).toEqual({ delivered: 0, refused: 0, failed: 0, disabled: 0 });
    world.now += TAKEN_MS;
    const settle = () => Promise.reject(new Error('the database is away'));
    const deliveries: DelivererDeps['deliveries'] = { take: world.webhooks.take.bind(world.webhooks), settle };
    const forgetful = world.deliverer(async () => OK, { deliveries });
    expect(await forgetful.begin()).toBe(1);
    await forgetful.stop();
    world.now += TAKEN_MS;
    const sound = world.deliverer(async () => OK);
    expect(await sound.begin()).toBe(1);
    await sound.stop();
    expect(world.webhooks.of('e')).toMatchObject([{ status: 'delivered', attempts: 3 }]);
  });
});

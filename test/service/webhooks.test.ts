/** Webhooks of a service, to a receiver on this machine. */
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { z } from 'zod';
import { verifyWebhook } from '../../src/client/webhook.ts';
import type { EventResource } from '../../src/events/schemas.ts';
import { MongoAuditLog } from '../../src/mongo/audit-log.ts';
import { MongoNotices } from '../../src/mongo/notices.ts';
import type { deliveryResource, endpointWithSecret } from '../../src/webhooks/schemas.ts';
import { aReconciliation, opened } from '../events/support/notices.ts';
import type { List, Problem } from './support/api.ts';
import { useService } from './support/service.ts';

type Endpoint = z.output<typeof endpointWithSecret>;
type Delivery = z.output<typeof deliveryResource>;

interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Takes what is posted to it, and answers as it is told. */
class Receiver {
  readonly received: Received[] = [];
  answer: number | 'never' | 'redirect' = 200;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<Receiver> {
    const server = createServer((request, response) => {
      let body = '';
      request.setEncoding('utf8').on('data', (chunk: string) => {
        body += chunk;
      });
      request.on('end', () => {
        receiver.received.push({ headers: request.headers, body });
        if (receiver.answer === 'never') return;
        if (receiver.answer === 'redirect') response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end();
        else response.writeHead(receiver.answer).end('a text that nobody is to be told');
      });
    });
    const receiver = new Receiver(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/hooks?from=kvitt`;
  }

  get events(): EventResource[] {
    return this.received.map(({ body }) => JSON.parse(body) as EventResource);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

const service = useService({ BOOKS: '2', WEBHOOK_PRIVATE_ADDRESSES: 'true' });
let receiver: Receiver;
const removals: string[] = [];

beforeAll(async () => {
  await service.api.post('/v1/accounts', { id: 'world:EUR', currency: 'EUR' });
  await service.api.createAccounts('alice', 'bob');
});
beforeEach(async () => {
  receiver = await Receiver.start();
});
afterEach(async () => {
  for (const id of removals.splice(0)) await service.api.send('DELETE', `/v1/webhook_endpoints/${id}`, {});
  await receiver.stop();
});

async function subscribe(more: object = {}): Promise<Endpoint> {
  const { status, body } = await service.api.post<Endpoint>('/v1/webhook_endpoints', { url: receiver.url, ...more });
  expect(status).toBe(201);
  removals.push(body.id);
  return body;
}

const top = (amount: number) => service.api.pay('world:EUR', 'alice', amount);
const path = (endpoint: Endpoint, more = '') => `/v1/webhook_endpoints/${endpoint.id}${more}`;
const received = (count: number) =>
  vi.waitFor(() => expect(receiver.received.length).toBeGreaterThanOrEqual(count), { timeout: 40_000, interval: 50 });
const deliveriesOf = async (endpoint: Endpoint, query = '') =>
  (await service.api.read<List<Delivery>>(path(endpoint, `/deliveries?limit=100${query}`))).data;

/** What waits for its next attempt waits no longer. */
async function makeDue({ id }: Endpoint): Promise<void> {
  const deliveries = service.db.collection('webhook_deliveries');
  const { matchedCount } = await deliveries.updateMany({ endpoint: id }, { $set: { nextAttemptAt: new Date() } });
  expect(matchedCount).toBeGreaterThan(0);
}

describe('webhooks', () => {
  it('post each event, as it is in the feed, signed so that its receiver can verify it', async () => {
    const endpoint = await subscribe({ description: 'shop' });
    expect(endpoint).toMatchObject({ status: 'enabled', types: null, signing_secrets: 1, last_delivered_at: null });
    const paid = await Promise.all(Array.from({ length: 30 }, (_, n) => top(n + 1)));
    await received(30);
    const transactions = receiver.events.map(({ transaction_id }) => transaction_id);
    expect(transactions.sort()).toEqual(paid.map(({ transaction_id }) => transaction_id).sort());
    for (const { headers, body } of receiver.received) {
      const event = verifyWebhook(body, headers['kvitt-signature'] as string, endpoint.secret);
      expect(event).toEqual(await service.api.read(`/v1/events/${headers['kvitt-event-id'] as string}`));
      expect(headers).toMatchObject({ 'content-type': 'application/json', 'kvitt-attempt': '1' });
      expect(() => verifyWebhook(`${body} `, headers['kvitt-signature'] as string, endpoint.secret)).toThrow();
    }
    await expect.poll(() => deliveriesOf(endpoint, '&status=delivered')).toHaveLength(30);
    const [done] = await deliveriesOf(endpoint, '&status=delivered');
    expect(done).toMatchObject({ attempts: 1, last_result: 'HTTP 200', next_attempt_at: null });
    const now = await service.api.read<Endpoint>(path(endpoint));
    expect(now.last_delivered_at).not.toBeNull();
    expect('secret' in now).toBe(false);
  });

  it('post only what an endpoint asked for', async () => {
    await subscribe({ types: ['payment.refunded'] });
    const payment = await top(10);
    await service.api.post(`/v1/payments/${payment.id}/refund`, { amount: 4 });
    await received(1);
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect(receiver.events.map(({ type }) => type)).toEqual(['payment.refunded']);
  });

  it('post notices, as they are in the feed, to those who ask for them, and again by hand', async () => {
    const endpoint = await subscribe({ types: ['reconciliation.break_opened'] });
    await top(10);
    const object = aReconciliation('1');
    await new MongoNotices(service.db).append('run', [
      { type: 'reconciliation.completed', object },
      ...opened('1', '2'),
    ]);
    await received(2);
    expect(receiver.events.map(({ data }) => (data.object as { id: string }).id).sort()).toEqual(['brk_1', 'brk_2']);
    for (const { headers, body } of receiver.received) {
      const event = verifyWebhook(body, headers['kvitt-signature'] as string, endpoint.secret);
      expect(event).toEqual(await service.api.read(`/v1/events/${headers['kvitt-event-id'] as string}`));
    }
    const [first] = receiver.events;
    await service.api.post<Delivery>(path(endpoint, `/deliveries/${first!.id}/redeliver`), {});
    await received(3);
    expect(receiver.events[2]).toEqual(first);
  });

  it.each([
    [500, 'HTTP 500'],
    ['redirect', 'HTTP 302'],
  ] as const)('are repeated when they are answered %s, and say so, until they are taken', async (answer, result) => {
    receiver.answer = answer;
    const endpoint = await subscribe();
    await top(1);
    await received(1);
    await expect.poll(async () => (await deliveriesOf(endpoint))[0]?.last_result).toBe(result);
    const [delivery] = await deliveriesOf(endpoint);
    expect(delivery).toMatchObject({ status: 'pending', attempts: 1, last_result: result });
    const waits = Date.parse(delivery!.next_attempt_at!) - Date.parse(delivery!.last_attempt_at!);
    expect(waits).toBeGreaterThanOrEqual(2_500);
    // By chance up to 5 s, counted from the answer, which may be late on a slow machine.
    expect(waits).toBeLessThan(20_000);
    receiver.answer = 204;
    await makeDue(endpoint);
    await received(2);
    expect(receiver.received[1]!.headers['kvitt-attempt']).toBe('2');
    expect(receiver.received[1]!.body).toBe(receiver.received[0]!.body);
    await expect.poll(async () => (await deliveriesOf(endpoint))[0]?.status).toBe('delivered');
  });

  it('are signed with the old secret as well while it is being replaced, and with no other afterwards', async () => {
    const first = await subscribe();
    const rotate = (seconds: number) =>
      service.api.post<Endpoint>(path(first, '/rotate_secret'), { overlap_seconds: seconds });
    const second = (await rotate(3_600)).body;
    expect(second.signing_secrets).toBe(2);
    expect(second.secret).not.toBe(first.secret);
    await top(1);
    await received(1);
    const check = (secret: string) => {
      const { headers, body } = receiver.received.at(-1)!;
      return verifyWebhook(body, headers['kvitt-signature'] as string, secret);
    };
    expect(check(first.secret)).toEqual(check(second.secret));
    const third = (await rotate(0)).body;
    expect(third.signing_secrets).toBe(1);
    await top(1);
    await received(2);
    expect(check(third.secret)).toBeTruthy();
    expect(() => check(first.secret)).toThrow();
    expect(() => check(second.secret)).toThrow();
  });

  it('wait while an endpoint is disabled, and are delivered by hand whenever somebody wants them', async () => {
    receiver.answer = 503;
    const endpoint = await subscribe();
    await top(1);
    await received(1);
    const disabled = await service.api.post<Endpoint>(path(endpoint, '/disable'), {});
    expect(disabled.body).toMatchObject({ status: 'disabled', disabled_reason: 'disabled by hand' });
    const missed = await top(2);
    receiver.answer = 200;
    await makeDue(endpoint);
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(receiver.received).toHaveLength(1);
    const enabled = await service.api.post<Endpoint>(path(endpoint, '/enable'), {});
    expect(enabled.body).toMatchObject({ status: 'enabled', disabled_reason: null });
    await received(2);
    expect(receiver.received[1]!.body).toBe(receiver.received[0]!.body);
    // What happened meanwhile was not for it, but can be.
    const event = `evt_${missed.transaction_id.slice(4)}`;
    const redelivered = await service.api.post<Delivery>(path(endpoint, `/deliveries/${event}/redeliver`), {});
    expect(redelivered.body).toMatchObject({ id: event, status: 'pending', attempts: 0 });
    await received(3);
    expect(receiver.events[2]!.id).toBe(event);
    // And what was taken already, too.
    await expect.poll(async () => (await deliveriesOf(endpoint, '&status=pending')).length).toBe(0);
    await service.api.post<Delivery>(path(endpoint, `/deliveries/${event}/redeliver`), {});
    await received(4);
    expect(receiver.events[3]!.id).toBe(event);
  });

  it('go on after a restart, and leave out nothing that happened meanwhile', async () => {
    receiver.answer = 503;
    await subscribe();
    await top(1);
    await received(1);
    await service.restart({});
    receiver.answer = 200;
    const paid = await top(3);
    await received(3);
    expect(receiver.events.map(({ transaction_id }) => transaction_id)).toContain(paid.transaction_id);
  });

  it('are not delivered once an endpoint is removed, or has said that it is gone', async () => {
    const [gone] = [await subscribe()];
    receiver.answer = 410;
    await top(1);
    const reason = async () => (await service.api.read<Endpoint>(path(gone!))).disabled_reason;
    await expect.poll(reason).toBe('it answered HTTP 410 Gone');
    const log = await new MongoAuditLog(service.db).list(10);
    expect(log.find(({ actor }) => actor === 'kvitt')).toMatchObject({
      action: 'webhook_endpoint_disabled',
      target: `webhook_endpoint ${gone!.id}`,
    });
    const { body } = await service.api.send('DELETE', path(gone!), {});
    expect(body).toEqual({ object: 'webhook_endpoint', id: gone!.id, deleted: true });
    expect((await service.api.get(path(gone!))).status).toBe(404);
    expect(await service.db.collection('webhook_deliveries').countDocuments({ endpoint: gone!.id })).toBe(0);
  });

  it('refuse what they cannot do, and change nothing', async () => {
    const refused = async (body: object) => {
      const answer = await service.api.post<Problem>('/v1/webhook_endpoints', body);
      return [answer.status, answer.body.code];
    };
    expect(await refused({ url: 'ftp://example.com/' })).toEqual([422, 'webhook_url_refused']);
    expect(await refused({ url: 'https://user:secret@example.com/' })).toEqual([422, 'webhook_url_refused']);
    expect(await refused({ url: 'example.com' })).toEqual([422, 'webhook_url_refused']);
    expect(await refused({ url: receiver.url, types: ['payment.lost'] })).toEqual([400, 'validation_failed']);
    expect(await refused({ url: receiver.url, types: [] })).toEqual([400, 'validation_failed']);
    const endpoint = await subscribe();
    const missing = await service.api.post<Problem>(path(endpoint, '/deliveries/evt_1/redeliver'), {});
    expect([missing.status, missing.body.code]).toEqual([404, 'not_found']);
    expect(await service.db.collection('webhook_deliveries').countDocuments({ endpoint: endpoint.id })).toBe(0);
  });

  it('are limited in number, also when many are made at once', async () => {
    const made = await Promise.all(
      Array.from({ length: 60 }, () => service.api.post<Endpoint>('/v1/webhook_endpoints', { url: receiver.url })),
    );
    const created = made.filter(({ status }) => status === 201);
    removals.push(...created.map(({ body }) => body.id));
    const { data } = await service.api.read<List<Endpoint>>('/v1/webhook_endpoints');
    expect(data.map(({ id }) => id).sort()).toEqual(created.map(({ body }) => body.id).sort());
    expect(data.length).toBeLessThanOrEqual(50);
    const refusals = made.filter(({ status }) => status !== 201).map(({ body }) => (body as unknown as Problem).code);
    expect(new Set(refusals)).toEqual(new Set(['too_many_webhook_endpoints']));
  });
});

describe('without leave to post to private addresses', () => {
  const strict = useService({});

  it.each([
    'http://example.com/',
    'https://127.0.0.1/',
    'https://localhost/',
    'https://[::1]/',
    'https://169.254.169.254/x',
  ])('an endpoint at %s is refused', async (url) => {
    const { status, body } = await strict.api.post<Problem>('/v1/webhook_endpoints', { url });
    expect([status, body.code, body.errors?.[0]?.pointer]).toEqual([422, 'webhook_url_refused', '/url']);
  });
});

import { setTimeout as sleep } from 'node:timers/promises';
import { presentEvent } from '../events/present.ts';
import { sign } from '../events/signature.ts';
import type { EventView } from '../events/types.ts';
import type { Log } from '../ledger/ports.ts';
import { backoffMs } from '../ledger/retry.ts';
import { Loop } from '../payments/loop.ts';
import type { Attempted, Deliveries, EventLookup, WebhookEndpoints } from './ports.ts';
import type { Post, Posted } from './post.ts';
import type { Delivery, WebhookEndpoint } from './types.ts';

const POLL_MS = 250;
const PER_ENDPOINT_MAX = 32;
/** Taken together, unless the last were taken a while ago: each time costs as much, however many they are. */
const TAKEN_MIN = PER_ENDPOINT_MAX / 2;
/** Between two looks at what has ended while there is much to do. */
const TURN_MS = 5;
/** How exactly it is known when an endpoint last took something. */
const DELIVERED_TOLD_MS = 1_000;
/** Longer than any attempt: who took a delivery and died lets others have it after so long. */
const TAKEN_MS = 60_000;
const BACKOFF_BASE_MS = 5_000;
const BACKOFF_MAX_MS = 4 * 3_600_000;
const DAY_MS = 24 * 3_600_000;
const GONE = 410;

export interface DelivererDeps {
  readonly endpoints: WebhookEndpoints;
  readonly deliveries: Pick<Deliveries, 'take' | 'settle'>;
  readonly events: EventLookup;
  readonly post: Post;
  readonly log: Log;
  /** ms since the epoch. */
  readonly clock: () => number;
  /** Told once when an endpoint is disabled because it takes nothing any more. */
  readonly onDisabled: (endpoint: WebhookEndpoint, reason: string) => Promise<void>;
}

/**
 * Delivers what is due, a few at once to each endpoint, so that a slow one delays no other. An attempt that fails is
 * repeated after five seconds, then after twice as long each time up to four hours, with jitter, until a day is over; an
 * endpoint that took nothing for that day is disabled. Any number of processes may do it at once.
 */
export class Deliverer {
  readonly #underWay = new Map<string, number>();
  /** By endpoint, in ms of `performance.now`. */
  readonly #takenAt = new Map<string, number>();
  /** By endpoint, in ms since the epoch. */
  readonly #toldAt = new Map<string, number>();
  readonly #attempts = new Set<Promise<void>>();
  readonly #loop: Loop;
  /** Attempts by what they came to, for metrics. */
  readonly counts = { delivered: 0, refused: 0, failed: 0, disabled: 0 };

  constructor(readonly deps: DelivererDeps) {
    this.#loop = new Loop(
      () => this.#turn(),
      (error) => deps.log.warn({ err: error }, 'webhooks cannot be delivered; trying again'),
    );
  }

  start(): void {
    this.#loop.start();
  }

  /** Resolves when all attempts that have begun are at their end. */
  async stop(): Promise<void> {
    await this.#loop.stop();
    await Promise.all(this.#attempts);
  }

  /** Begins what is due now, as far as there is room, and resolves when it is taken; answers how much that was. */
  async begin(): Promise<number> {
    const endpoints = (await this.deps.endpoints.all()).filter(({ status }) => status === 'enabled');
    const begun = await Promise.all(endpoints.map((endpoint) => this.#beginFor(endpoint, this.#roomFor(endpoint))));
    return begun.reduce((sum, count) => sum + count, 0);
  }

  #roomFor({ id }: WebhookEndpoint): number {
    const room = PER_ENDPOINT_MAX - (this.#underWay.get(id) ?? 0);
    const isWhileAgo = performance.now() - (this.#takenAt.get(id) ?? Number.NEGATIVE_INFINITY) >= POLL_MS;
    return room >= TAKEN_MIN || isWhileAgo ? room : 0;
  }

  async #turn(): Promise<number> {
    await this.begin();
    if (this.#attempts.size === 0) return POLL_MS;
    // More may be due: as soon as there is room, and to others while a slow one takes its time.
    await this.#anyEnded();
    return TURN_MS;
  }

  async #anyEnded(): Promise<void> {
    const rest = new AbortController();
    await Promise.race([...this.#attempts, rested(POLL_MS, rest.signal)]);
    rest.abort();
  }

  async #beginFor(endpoint: WebhookEndpoint, room: number): Promise<number> {
    if (room === 0) return 0;
    const { deliveries, events, clock } = this.deps;
    this.#takenAt.set(endpoint.id, performance.now());
    const now = clock();
    const taken = await deliveries.take(endpoint.id, new Date(now), new Date(now + TAKEN_MS), room);
    if (taken.length === 0) return 0;
    const found = await events.find(taken.map(({ eventId }) => eventId));
    for (const delivery of taken) {
      const attempt = this.#attempt(endpoint, delivery, found.get(delivery.eventId)).catch((error: unknown) => {
        // Others try it when its time has come again.
        this.deps.log.warn({ err: error, endpoint: endpoint.id }, 'what became of a webhook cannot be written down');
      });
      this.#attempts.add(attempt);
      this.#underWay.set(endpoint.id, (this.#underWay.get(endpoint.id) ?? 0) + 1);
      void attempt.finally(() => {
        this.#attempts.delete(attempt);
        this.#underWay.set(endpoint.id, this.#underWay.get(endpoint.id)! - 1);
      });
    }
    return taken.length;
  }

  async #attempt(endpoint: WebhookEndpoint, delivery: Delivery, event: EventView | undefined): Promise<void> {
    const { deliveries, endpoints, clock } = this.deps;
    if (event === undefined) throw new Error(`there is no event ${delivery.eventId}`);
    const posted = await this.#post(endpoint, delivery, event);
    const now = clock();
    const attempted = attemptedBy(posted, delivery, now);
    await deliveries.settle(delivery, attempted);
    if (attempted.status === 'delivered') {
      this.counts.delivered++;
      if (Math.abs(now - (this.#toldAt.get(endpoint.id) ?? 0)) < DELIVERED_TOLD_MS) return;
      this.#toldAt.set(endpoint.id, now);
      await endpoints.deliveredAt(endpoint.id, new Date(now));
      return;
    }
    this.counts[attempted.status === 'failed' ? 'failed' : 'refused']++;
    if (attempted.status === 'failed') await this.#giveUp(endpoint, delivery, posted);
  }

  #post(endpoint: WebhookEndpoint, { attempts }: Delivery, event: EventView): Promise<Posted> {
    const body = JSON.stringify(presentEvent(event));
    const now = this.deps.clock();
    const secrets = endpoint.secrets.filter(({ until }) => until === null || until.getTime() > now);
    return this.deps.post(endpoint.url, body, {
      'content-type': 'application/json',
      'user-agent': 'Kvitt-Webhooks',
      'kvitt-event-id': event.id,
      'kvitt-attempt': String(attempts),
      'kvitt-signature': sign(
        body,
        secrets.map(({ secret }) => secret),
        Math.floor(now / 1000),
      ),
    });
  }

  async #giveUp(endpoint: WebhookEndpoint, { since }: Delivery, { status, result }: Posted): Promise<void> {
    const isGone = status === GONE;
    const reason = isGone
      ? 'it answered HTTP 410 Gone'
      : `it took no event for a day; the last attempt came to ${result}`;
    const { endpoints, log, onDisabled } = this.deps;
    if (!(await endpoints.disableUnlessDelivered(endpoint.id, isGone ? null : since, reason))) return;
    this.counts.disabled++;
    // Not its whole URL: the path and the query of many are as good as a password.
    log.error({ endpoint: endpoint.id, host: new URL(endpoint.url).host }, `a webhook endpoint is disabled: ${reason}`);
    await onDisabled(endpoint, reason);
  }
}

async function rested(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal, ref: false }).catch(() => undefined);
}

function attemptedBy({ status, result }: Posted, { attempts, since }: Delivery, now: number): Attempted {
  if (status !== null && status >= 200 && status < 300) {
    return { status: 'delivered', nextAttemptAt: null, lastResult: result };
  }
  const end = since.getTime() + DAY_MS;
  if (status === GONE || now >= end) return { status: 'failed', nextAttemptAt: null, lastResult: result };
  const next = Math.min(end, now + backoffMs(attempts, BACKOFF_BASE_MS, BACKOFF_MAX_MS));
  return { status: 'pending', nextAttemptAt: new Date(next), lastResult: result };
}

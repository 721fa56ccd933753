import { randomBytes } from 'node:crypto';
import { uuidv7 } from 'uuidv7';
import type { Page } from '../payments/types.ts';
import { PaymentsError } from '../payments/types.ts';
import { publicAddresses, RefusedAddressError } from './addresses.ts';
import type { Deliveries, EventLookup, WebhookEndpoints } from './ports.ts';
import {
  type CreateEndpoint,
  type DeliveriesQuery,
  type Delivery,
  type SigningSecret,
  type WebhookEndpoint,
  WebhookError,
  type Webhooks,
} from './types.ts';

const SECRET_BYTES = 32;
const ENDPOINTS_MAX = 50;
/** Signatures with more would not fit into a header. */
const SECRETS_MAX = 5;
const BY_HAND = 'disabled by hand';

interface WebhooksDeps {
  readonly endpoints: WebhookEndpoints;
  readonly deliveries: Deliveries;
  readonly events: EventLookup;
  /** May they be private, and without TLS? */
  readonly privateAddresses: boolean;
}

/** Who is told of what, and what came of it. */
export class WebhooksService implements Webhooks {
  constructor(readonly deps: WebhooksDeps) {}

  async create({ url, types, description }: CreateEndpoint): Promise<WebhookEndpoint> {
    await this.#checkUrl(url);
    const endpoint: WebhookEndpoint = {
      id: `we_${uuidv7()}`,
      url,
      types: types ?? null,
      description: description ?? null,
      status: 'enabled',
      disabledReason: null,
      secrets: [newSecret()],
      createdAt: new Date(),
      lastDeliveredAt: null,
    };
    if (await this.deps.endpoints.insert(endpoint, ENDPOINTS_MAX)) return endpoint;
    const message = `there are ${ENDPOINTS_MAX} webhook endpoints already; remove one that is not needed`;
    throw new WebhookError('too_many_webhook_endpoints', message);
  }

  list(): Promise<WebhookEndpoint[]> {
    return this.deps.endpoints.all();
  }

  async get(id: string): Promise<WebhookEndpoint> {
    return (await this.deps.endpoints.get(id)) ?? notFound(id);
  }

  async remove(id: string): Promise<void> {
    if (!(await this.deps.endpoints.remove(id))) notFound(id);
    await this.deps.deliveries.remove(id);
  }

  async rotate(id: string, overlapSeconds: number): Promise<WebhookEndpoint> {
    const now = Date.now();
    const until = new Date(now + overlapSeconds * 1000);
    for (;;) {
      const { secrets } = await this.get(id);
      const before = secrets
        .map((one) => ({ ...one, until: one.until !== null && one.until < until ? one.until : until }))
        .filter((one) => one.until.getTime() > now);
      const all = [newSecret(), ...before].slice(0, SECRETS_MAX);
      const rotated = await this.deps.endpoints.replaceSecrets(id, secrets[0]!.secret, all);
      // Null: somebody else was faster, and each is to keep what it was answered.
      if (rotated) return rotated;
    }
  }

  async enable(id: string): Promise<WebhookEndpoint> {
    // Before it is: one attempt that fails must not end the day of what waited for so long, and disable it again.
    if ((await this.get(id)).status === 'disabled') await this.deps.deliveries.restart(id, new Date());
    return this.#update(id, { status: 'enabled', disabledReason: null });
  }

  disable(id: string): Promise<WebhookEndpoint> {
    return this.#update(id, { status: 'disabled', disabledReason: BY_HAND });
  }

  async deliveries(id: string, query: DeliveriesQuery): Promise<Page<Delivery>> {
    await this.get(id);
    return this.deps.deliveries.list(id, query);
  }

  async redeliver(id: string, eventId: string): Promise<Delivery> {
    await this.get(id);
    const event = (await this.deps.events.find([eventId])).get(eventId);
    if (!event) throw new PaymentsError('not_found', `there is no event ${eventId}`);
    const { deliveries } = this.deps;
    const now = new Date();
    const again = await deliveries.again(id, eventId, now);
    if (again) return again;
    // It was never meant for it: it was disabled then, or not yet there.
    await deliveries.plan([{ endpoint: id, eventId, type: event.type, since: now }]);
    return (await deliveries.again(id, eventId, now)) ?? notFound(id);
  }

  async #update(id: string, change: Parameters<WebhookEndpoints['update']>[1]): Promise<WebhookEndpoint> {
    return (await this.deps.endpoints.update(id, change)) ?? notFound(id);
  }

  async #checkUrl(text: string): Promise<void> {
    const refuse = (why: string): never => {
      throw new WebhookError('webhook_url_refused', `url: ${why}`);
    };
    const url = URL.canParse(text) ? new URL(text) : refuse('must be an absolute URL');
    const { privateAddresses } = this.deps;
    if (url.protocol !== 'https:' && !(privateAddresses && url.protocol === 'http:'))
      refuse('must begin with https://');
    if (url.username !== '' || url.password !== '') refuse('must not hold a user name or a password');
    if (url.hash !== '') refuse('must not hold a fragment');
    if (privateAddresses) return;
    await publicAddresses(url.hostname).catch((error: unknown) => {
      // A name that stands for nothing now may do so later: each delivery looks again.
      if (error instanceof RefusedAddressError) refuse(error.message);
    });
  }
}

function newSecret(): SigningSecret {
  return { secret: `whsec_${randomBytes(SECRET_BYTES).toString('base64url')}`, until: null };
}

function notFound(id: string): never {
  throw new PaymentsError('not_found', `there is no webhook endpoint ${id}`);
}

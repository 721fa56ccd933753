import type { Teller } from '../events/outbox.ts';
import type { Progress } from '../events/ports.ts';
import type { EventView } from '../events/types.ts';
import type { Advanced, Projection } from '../payments/follower.ts';
import type { Deliveries, NewDelivery, WebhookEndpoints } from './ports.ts';
import type { WebhookEndpoint } from './types.ts';

interface FanOutDeps {
  readonly streams: Pick<Teller, 'after'> & {
    /** The height of the last block of a stream at or before a time in ms; 0: none. */
    heightAt(stream: number, at: number): Promise<number>;
  };
  readonly progress: Progress;
  readonly endpoints: Pick<WebhookEndpoints, 'all'>;
  readonly deliveries: Pick<Deliveries, 'plan'>;
}

/**
 * Writes down for each event which endpoints it is to be delivered to, before it remembers how far it came: whatever
 * crashes, each event is delivered to each of them. While no endpoint is enabled it passes over what happens.
 */
export class FanOut implements Projection {
  constructor(readonly deps: FanOutDeps) {}

  async advance(stream: number): Promise<Advanced> {
    const { streams, progress, deliveries } = this.deps;
    const asked = Date.now();
    const position = await progress.position(stream);
    // Before the endpoints are read: what comes after it may be for one that is just being created.
    const tip = await streams.heightAt(stream, Number.POSITIVE_INFINITY);
    if (tip <= position.height) return { taken: 0, isAtTip: true, asOf: asked };
    const endpoints = (await this.deps.endpoints.all()).filter(({ status }) => status === 'enabled');
    if (endpoints.length === 0) {
      await progress.moveOn(stream, position, tip);
      return { taken: 0, isAtTip: true, asOf: asked };
    }
    const telling = await streams.after(stream, position.height);
    // What is further was not there yet when the endpoints were read.
    const events = telling.events.filter(({ height }) => height <= tip);
    const upTo = Math.min(telling.upTo, tip);
    const planned = events.flatMap((event) => deliveriesOf(event, endpoints));
    if (planned.length > 0) await deliveries.plan(planned);
    if (upTo > position.height) await progress.moveOn(stream, position, upTo);
    return { taken: events.length, isAtTip: telling.isAtTip && upTo === telling.upTo, asOf: telling.before ?? asked };
  }
}

function deliveriesOf({ id, type }: EventView, endpoints: readonly WebhookEndpoint[]): NewDelivery[] {
  const since = new Date();
  return endpoints
    .filter(({ types }) => types === null || types.includes(type))
    .map((endpoint) => ({ endpoint: endpoint.id, eventId: id, type, since }));
}

import type { Advanced, Projection } from '../payments/follower.ts';
import type { Teller } from './outbox.ts';
import type { EventSink, Lease, Progress } from './ports.ts';
import type { EventView } from './types.ts';

export interface PublisherDeps {
  readonly outbox: Pick<Teller, 'after'>;
  readonly sink: EventSink;
  readonly progress: Progress;
  /** Of each stream. */
  readonly lease: (stream: number) => Lease;
}

/**
 * Sends the events of each stream to a sink and remembers how far it came: after a crash it goes on from there, so that
 * nothing is left out, and what was sent but not yet remembered is sent once more. One process does it at a time for each
 * stream. A process that was frozen sends nothing once its lease may have passed on, because others are further by then.
 */
export class Publisher implements Projection {
  readonly #leases = new Map<number, Lease>();
  /** Events that the sink has taken, for metrics. */
  sent = 0;

  constructor(readonly deps: PublisherDeps) {}

  async advance(stream: number): Promise<Advanced> {
    const { outbox, progress } = this.deps;
    const asked = Date.now();
    const lease = this.#lease(stream);
    if (!(await lease.hold())) return { taken: 0, isAtTip: true, asOf: asked };
    const position = await progress.position(stream);
    const { events, upTo, isAtTip, before } = await outbox.after(stream, position.height);
    if (events.length > 0) {
      await this.#send(events, lease);
      this.sent += events.length;
    }
    if (upTo > position.height) await progress.moveOn(stream, position, upTo);
    return { taken: events.length, isAtTip, asOf: before ?? asked };
  }

  /** Whoever looks at a book now and then must not keep it from whoever follows it closely. */
  async leave(book: number): Promise<void> {
    await this.#leases.get(book)?.release();
  }

  /** Lets another process go on at once. Call when nothing is under way any more. */
  async close(): Promise<void> {
    await Promise.all([...this.#leases.values()].map((lease) => lease.release()));
  }

  /** Keeps the lease meanwhile: many events of one group, each of which waits for the one before, take longer than it lasts. */
  async #send(events: readonly EventView[], lease: Lease): Promise<void> {
    let renewal: Promise<unknown> | null = null;
    const mayGoOn = () => {
      const isHeld = lease.isHeld();
      if (isHeld) {
        renewal ??= lease
          .hold()
          .catch(() => undefined)
          .finally(() => {
            renewal = null;
          });
      }
      return isHeld;
    };
    try {
      await this.deps.sink.send(events, mayGoOn);
    } finally {
      // One that comes late must not take what is just being released.
      await renewal;
    }
  }

  #lease(stream: number): Lease {
    const lease = this.#leases.get(stream) ?? this.deps.lease(stream);
    this.#leases.set(stream, lease);
    return lease;
  }
}

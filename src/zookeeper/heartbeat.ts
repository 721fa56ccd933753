import type { Connection } from './connection.ts';
import { HEARTBEATS_PER_TIMEOUT, type Moment, moment } from './lease.ts';
import { multi } from './protocol.ts';

/** Transactions without operations over one connection, see {@link Lease}. When one is not answered, it is ended. */
export class Heartbeat {
  readonly #connection: Connection;
  readonly #timeoutMs: number;
  readonly #onAnswered: (sent: Moment) => void;
  #timer: NodeJS.Timeout | null = null;
  #isStopped = false;

  /** @param onAnswered Told when the heartbeat was sent that is answered. */
  constructor(connection: Connection, timeoutMs: number, onAnswered: (sent: Moment) => void) {
    this.#connection = connection;
    this.#timeoutMs = timeoutMs;
    this.#onAnswered = onAnswered;
    this.#beat();
  }

  stop(): void {
    this.#isStopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #beat(): void {
    const sent = moment();
    const silentMs = this.#timeoutMs / 4;
    const silence = () => {
      if (this.#timer === timer) this.#connection.end(`did not answer for ${Math.round(silentMs)} ms`);
    };
    // Only after what has arrived was read: it may have been this process that stood still.
    const timer = setTimeout(() => setImmediate(silence), silentMs).unref();
    this.#timer = timer;
    this.#connection
      .request(multi([]))
      .then(() => {
        if (this.#isStopped) return;
        clearTimeout(timer);
        const nextMs = this.#timeoutMs / HEARTBEATS_PER_TIMEOUT - (performance.now() - sent.monotonicMs);
        this.#timer = setTimeout(() => this.#beat(), nextMs).unref();
        this.#onAnswered(sent);
      })
      .catch(() => undefined);
  }
}

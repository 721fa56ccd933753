import type { Connection } from './connection.ts';
import { ZooKeeperError } from './errors.ts';

const IN_FLIGHT_MAX = 1_000;
const WAITING_MAX = 20_000;

interface Waiting {
  readonly send: (connection: Connection) => void;
  readonly reject: (error: ZooKeeperError) => void;
  readonly session: bigint | null;
  readonly timer: NodeJS.Timeout;
}

/** Requests that wait for a connection with room for them, in their order, each for a bounded time. */
export class RequestQueue {
  readonly #waiting: Waiting[] = [];

  constructor(
    /** For people: who does not answer. */
    readonly servers: string,
    /** Told when a request was answered, so that there is room for another one. */
    readonly onRoom: () => void,
  ) {}

  /**
   * Resolves as `send` does, once it could.
   *
   * @param session Only within this session; null: in any.
   */
  add<T>(send: (connection: Connection) => Promise<T>, session: bigint | null, waitMs: number): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#waiting.length >= WAITING_MAX) {
        reject(new ZooKeeperError('too_many_requests', `${WAITING_MAX} requests to ZooKeeper wait already`));
        return;
      }
      const timer = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
        const message = `none of the ZooKeeper servers ${this.servers} answered in ${waitMs} ms`;
        reject(new ZooKeeperError('connection_loss', message));
      }, waitMs);
      const waiting: Waiting = {
        // Settled by whatever comes of it; errors of the connection are its own.
        send: (connection) => void send(connection).then(resolve, reject).finally(this.onRoom),
        reject,
        session,
        timer,
      };
      this.#waiting.push(waiting);
    });
  }

  /** Sends what waits over a connection of this session, as far as it has room. */
  sendOver(connection: Connection, session: bigint): void {
    while (this.#waiting.length > 0 && connection.pendingCount < IN_FLIGHT_MAX) {
      const { send, reject, session: wanted, timer } = this.#waiting.shift()!;
      clearTimeout(timer);
      if (wanted === null || wanted === session) send(connection);
      else reject(new ZooKeeperError('session_expired', 'the session ended before this was asked'));
    }
  }

  rejectAll(error: ZooKeeperError): void {
    for (const { reject, timer } of this.#waiting.splice(0)) {
      clearTimeout(timer);
      reject(error);
    }
  }
}

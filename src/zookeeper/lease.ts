/** When something happened, by both clocks of this machine. */
export interface Moment {
  /** ms since some start; stands still while the machine is suspended. */
  readonly monotonicMs: number;
  /** ms since 1970; may be set back. */
  readonly wallMs: number;
}

export function moment(): Moment {
  return { monotonicMs: performance.now(), wallMs: Date.now() };
}

/** By whichever clock says more: one stands still in a suspended machine, the other may be set back. */
function elapsedMs(since: Moment, now: Moment): number {
  return Math.max(now.monotonicMs - since.monotonicMs, now.wallMs - since.wallMs);
}

/** Heartbeats go out this often in the time of a session, which ZooKeeper bounds below by two ticks. */
export const HEARTBEATS_PER_TIMEOUT = 8;
/** The first of these begins the time of the session anew: see {@link Lease}. */
const HEARTBEATS_COUNTED = 5;

/** By so much this machine's clocks may run slower than those of the servers. */
const DRIFT_MAX = 0.02;

/**
 * Until when the servers cannot have ended the session, as far as this side can prove it by itself.
 *
 * A session ends when the *leader* has not heard of the client for the session's time. That some server answers is no
 * proof that the leader has heard: a follower answers pings by itself, even after it lost the leader, and names its
 * clients to the leader only in its answers to the leader's own pings, which come every half tick. So heartbeats here
 * are requests that a majority agrees upon, and an answer to one proves that
 *
 * - this leader led when the heartbeat was sent: no other had begun, whose sessions would count from elsewhere;
 * - the follower had got all pings that the leader sent before, as they come down the same stream as the answer; and
 *   whatever goes up after it comes after the follower's answers to those pings. So once heartbeat `n` is answered,
 *   the leader has the answers to all pings that it sent before it answered heartbeat `n - 1`. The last of them it sent
 *   half a tick before that at most, and so not before heartbeat `n - 3` was sent, as between that one and `n - 1` lies
 *   a quarter of the session's time, which is half a tick at least. By then the follower had heard heartbeat `n - 4`:
 *   it was answered before. From its sending on the session lives for its whole time.
 *
 * The first heartbeats of a connection count from when the connection was asked for: the leader begins the time of the
 * session anew when another connection takes it over.
 *
 * This takes for granted that the clocks of both sides run about equally fast ({@link DRIFT_MAX}), that one of this machine's two clocks goes on
 * while it stands still, and that a leader that is late with its pings is as late with ending sessions.
 */
export class Lease {
  /** The connection's beginning and its heartbeats, oldest first: no more of them than are needed. */
  #sent: Moment[] = [];
  #from: Moment | null = null;
  #timeoutMs = 0;

  /** A connection was accepted, which had been asked for at `asked`. */
  connected(asked: Moment, timeoutMs: number): void {
    this.#timeoutMs = timeoutMs * (1 - DRIFT_MAX);
    this.#sent = [asked];
  }

  /** A heartbeat that was sent at `sent` over this connection was answered. */
  answered(sent: Moment): void {
    this.#sent.push(sent);
    if (this.#sent.length > HEARTBEATS_COUNTED) this.#sent.shift();
    this.#from = this.#sent[0]!;
  }

  /** The session is gone. */
  lost(): void {
    this.#from = null;
    this.#sent = [];
  }

  /** ms for which the session is certain to live on; 0: it may have ended. */
  certainForMs(now: Moment = moment()): number {
    if (this.#from === null) return 0;
    return Math.max(0, this.#timeoutMs - elapsedMs(this.#from, now));
  }
}

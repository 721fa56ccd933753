import { setTimeout as sleep } from 'node:timers/promises';
import { isConnectionLoss, isZooKeeperError } from './errors.ts';
import type { Stat } from './protocol.ts';
import type { Session } from './session.ts';
import type { Watcher } from './watches.ts';

const RETRY_MS = 100;
const RETRY_MS_MAX = 5_000;

export interface NodeData {
  readonly data: Buffer | null;
  readonly stat: Stat;
}

/** Null: there is no such node. The watcher is told when that changes, or the data does. */
export async function readData(session: Session, path: string, watcher: Watcher): Promise<NodeData | null> {
  for (;;) {
    try {
      return await session.getData(path, watcher);
    } catch (error) {
      if (!isZooKeeperError(error, 'no_node')) throw error;
    }
    if ((await session.exists(path, watcher)) === null) return null;
  }
}

/** Names of the children, in no order; null: there is no such node. */
async function readChildren(session: Session, path: string, watcher: Watcher): Promise<string[] | null> {
  for (;;) {
    try {
      return (await session.getChildren(path, watcher)).children;
    } catch (error) {
      if (!isZooKeeperError(error, 'no_node')) throw error;
    }
    if ((await session.exists(path, watcher)) === null) return null;
  }
}

/**
 * Reads something again each time that its watch fires: whoever follows sees the last value, but not necessarily each
 * one between. While there is no connection the value stays what it was; once there is one again it is read anew.
 */
export class Following<T> {
  readonly #read: (watcher: Watcher) => Promise<T>;
  readonly #onValue: (value: T) => void;
  readonly #onProblem: (error: unknown) => void;
  readonly #forget: (watcher: Watcher) => void;
  #isReading = false;
  #isDirty = true;
  #isStopped = false;

  /**
   * @param onProblem Told of what cannot be read; it is tried again. Not of lost connections.
   * @param forget Ends the watch.
   */
  constructor(
    read: (watcher: Watcher) => Promise<T>,
    onValue: (value: T) => void,
    onProblem: (error: unknown) => void,
    forget: (watcher: Watcher) => void,
  ) {
    this.#read = read;
    this.#onValue = onValue;
    this.#onProblem = onProblem;
    this.#forget = forget;
    void this.#update();
  }

  stop(): void {
    this.#isStopped = true;
    this.#forget(this.#watcher);
  }

  readonly #watcher: Watcher = () => {
    this.#isDirty = true;
    if (!this.#isReading) void this.#update();
  };

  async #update(): Promise<void> {
    this.#isReading = true;
    let retryMs = RETRY_MS;
    while (this.#isDirty && !this.#isStopped) {
      this.#isDirty = false;
      let value: T;
      try {
        value = await this.#read(this.#watcher);
      } catch (error) {
        if (isZooKeeperError(error, 'closed') || isZooKeeperError(error, 'auth_failed')) break;
        this.#isDirty = true;
        const isSilent = isConnectionLoss(error) || isZooKeeperError(error, 'session_expired');
        if (!isSilent && !this.#isStopped) this.#onProblem(error);
        await sleep(retryMs, undefined, { ref: false });
        retryMs = Math.min(RETRY_MS_MAX, retryMs * 2);
        continue;
      }
      retryMs = RETRY_MS;
      // What the listener throws is its own: reading again would not help.
      if (!this.#isStopped) this.#onValue(value);
    }
    this.#isReading = false;
    // It may have been watched again while it was read.
    if (this.#isStopped) this.#forget(this.#watcher);
  }
}

export function followData(
  session: Session,
  path: string,
  onValue: (value: NodeData | null) => void,
  onProblem: (error: unknown) => void,
): Following<NodeData | null> {
  const forget = (watcher: Watcher) => session.forget(path, watcher);
  return new Following((watcher) => readData(session, path, watcher), onValue, onProblem, forget);
}

export function followChildren(
  session: Session,
  path: string,
  onValue: (value: string[] | null) => void,
  onProblem: (error: unknown) => void,
): Following<string[] | null> {
  const forget = (watcher: Watcher) => session.forget(path, watcher);
  return new Following((watcher) => readChildren(session, path, watcher), onValue, onProblem, forget);
}

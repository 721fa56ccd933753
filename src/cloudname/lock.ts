import { EventEmitter } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { isPassing, ZooKeeperError } from '../zookeeper/errors.ts';
import type { Session } from '../zookeeper/session.ts';
import type { Watcher } from '../zookeeper/watches.ts';
import type { Coordinate } from './coordinate.ts';
import { CloudnameError } from './errors.ts';
import { makePath } from './tree.ts';

const SEQUENCE_DIGITS = 10;
const RETRY_MS = 50;
/** Of lock names: Java code uses upper case in them, too. */
const LOCK_NAME = /^[A-Za-z][A-Za-z0-9_-]{0,99}$/;

/** Nodes that this client knows of, by session: others of its session were made by requests whose answers were lost. */
const known = new WeakMap<Session, Set<string>>();

export type LockScope = 'cell' | 'user' | 'service';

export interface LockEvents {
  /** The lock may be somebody else's from now on. Once; it is never ours again: take it anew. */
  lost: [why: string];
}

/** A lock that is, or was, held: see {@link acquireLock}. */
export class Lock extends EventEmitter<LockEvents> {
  readonly #session: Session;
  readonly #sessionId: bigint;
  #isOver = false;

  constructor(
    session: Session,
    /** The node that stands for it. */
    readonly path: string,
    /** Grows with each taking of a lock in the same place. For stores that refuse older holders. */
    readonly fencingNumber: number,
    sessionId: bigint,
  ) {
    super();
    this.#session = session;
    this.#sessionId = sessionId;
    session.on('uncertain', this.#uncertain).on('expired', this.#uncertain).on('closed', this.#uncertain);
    void this.#watch();
  }

  /** Is it ours, proven by this machine's clocks alone? */
  isHeld(): boolean {
    return this.heldForMs() > 0;
  }

  /** For how long nobody else can get it, ms. */
  heldForMs(): number {
    return this.#isOver || this.#session.id !== this.#sessionId ? 0 : this.#session.certainForMs();
  }

  /** May be called twice, and after a loss. */
  async release(): Promise<void> {
    this.#over(null);
    await removeNode(this.#session, this.path, this.#sessionId);
  }

  readonly #uncertain = (): void => this.#over('the ZooKeeper servers have not been heard of for too long');

  readonly #watcher: Watcher = () => void this.#watch();

  async #watch(): Promise<void> {
    while (!this.#isOver) {
      try {
        const stat = await this.#session.exists(this.path, this.#watcher);
        if (stat === null || stat.ephemeralOwner !== this.#sessionId) this.#over('somebody deleted its node');
        return;
      } catch (error) {
        if (!isPassing(error)) return;
        await sleep(RETRY_MS, undefined, { ref: false });
      }
    }
  }

  #over(why: string | null): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#session.off('uncertain', this.#uncertain).off('expired', this.#uncertain).off('closed', this.#uncertain);
    this.#session.forget(this.path, this.#watcher);
    if (why === null) return;
    this.emit('lost', why);
    // Whoever waits for it gets it as soon as the servers answer.
    void removeNode(this.#session, this.path, this.#sessionId);
  }
}

/**
 * Takes a lock on something in a cell, of a user in it, or of one of their services. The lowest of the numbered nodes
 * of one name holds; each waits for the one before it.
 *
 * @param waitMs 0: not at all. @returns Null: somebody else has it, and had it for all that time.
 * @throws CloudnameError `malformed`; ZooKeeperError when the servers do not answer
 */
export async function acquireLock(
  session: Session,
  { coordinate, scope, name }: { coordinate: Coordinate; scope: LockScope; name: string },
  waitMs: number,
): Promise<Lock | null> {
  if (!LOCK_NAME.test(name)) {
    throw new CloudnameError(
      'malformed',
      `"${name}" is no name of a lock: write letters, digits, - and _, 100 at most`,
    );
  }
  const deadline = performance.now() + waitMs;
  const folder = lockFolder(coordinate, scope);
  await makePath(session, folder);
  await session.ready();
  const sessionId = session.id;
  const own = await createNode(session, folder, name, sessionId);
  try {
    for (;;) {
      const before = await nextBefore(session, folder, name, own);
      if (before === null) {
        if (session.certainForMs() > 0) return new Lock(session, `${folder}/${own}`, numberOf(own), sessionId);
        // It was told already that the session may be over, and would not be told again.
        await sleep(RETRY_MS);
        continue;
      }
      const leftMs = deadline - performance.now();
      if (leftMs <= 0 || !(await gone(session, `${folder}/${before}`, leftMs))) break;
    }
  } catch (error) {
    await removeNode(session, `${folder}/${own}`, sessionId);
    throw error;
  }
  await removeNode(session, `${folder}/${own}`, sessionId);
  return null;
}

function lockFolder({ cell, user, service }: Coordinate, scope: LockScope): string {
  const parts = { cell: [cell], user: [cell, user], service: [cell, user, service] }[scope];
  return `/locks/${parts.join('/')}/locks`;
}

/** When the answer is lost, the node is looked for, so that none is left to stand before all others. */
async function createNode(session: Session, folder: string, name: string, sessionId: bigint): Promise<string> {
  try {
    const path = await session.create(`${folder}/${name}`, null, { mode: 'ephemeralSequential', session: sessionId });
    knownOf(session).add(path);
    return path.slice(folder.length + 1);
  } catch (error) {
    if (error instanceof ZooKeeperError && error.outcomeUnknown) await removeStrays(session, folder, name, sessionId);
    throw error;
  }
}

function knownOf(session: Session): Set<string> {
  const paths = known.get(session) ?? new Set();
  known.set(session, paths);
  return paths;
}

async function removeStrays(session: Session, folder: string, name: string, sessionId: bigint): Promise<void> {
  try {
    for (const candidate of await candidates(session, folder, name)) {
      const path = `${folder}/${candidate}`;
      const stat = await session.exists(path);
      const isStray = stat?.ephemeralOwner === sessionId && !knownOf(session).has(path);
      if (isStray) await removeNode(session, path, sessionId);
    }
  } catch (error) {
    if (!isPassing(error)) return;
    // Whoever asked waits no longer, but the session may outlive the outage, and the node with it.
    void sleep(RETRY_MS, undefined, { ref: false }).then(() => removeStrays(session, folder, name, sessionId));
  }
}

async function candidates(session: Session, folder: string, name: string): Promise<string[]> {
  const { children } = await session.getChildren(folder);
  return children.filter((child) => {
    const number = child.slice(-SEQUENCE_DIGITS);
    return child.slice(0, -SEQUENCE_DIGITS) === name && /^\d+$/.test(number);
  });
}

/** @returns Null: there is none. @throws CloudnameError `not_owner` when our own node is gone */
async function nextBefore(session: Session, folder: string, name: string, own: string): Promise<string | null> {
  const others = await candidates(session, folder, name);
  if (!others.includes(own)) throw new CloudnameError('not_owner', `the node of the lock "${name}" was deleted`);
  const lower = others.filter((each) => numberOf(each) < numberOf(own)).sort((a, b) => numberOf(b) - numberOf(a));
  return lower[0] ?? null;
}

function numberOf(node: string): number {
  return Number(node.slice(-SEQUENCE_DIGITS));
}

/** @returns Was it gone, or changed, in that time? */
async function gone(session: Session, path: string, ms: number): Promise<boolean> {
  const ended = new AbortController();
  let tell: () => void = () => {};
  const changed = new Promise<boolean>((resolve) => {
    tell = () => resolve(true);
  });
  try {
    if ((await session.exists(path, tell)) === null) return true;
    const late = sleep(ms, false, { signal: ended.signal }).catch(() => false);
    return await Promise.race([changed, late]);
  } finally {
    ended.abort();
    session.forget(path, tell);
  }
}

/** Resolves when it is gone; when no server answers, before that. Then it is removed as soon as one does. */
async function removeNode(session: Session, path: string, sessionId: bigint): Promise<void> {
  try {
    await session.delete(path, undefined, { session: sessionId });
  } catch (error) {
    if (!(error instanceof ZooKeeperError)) throw error;
    if (isPassing(error)) {
      const again = sleep(RETRY_MS, undefined, { ref: false }).then(() => removeNode(session, path, sessionId));
      // The session may outlive an outage, and the node with it: but nobody waits for that.
      if (error.outcomeUnknown) await again;
      return;
    }
    // Otherwise it is gone, or ends with the session.
  }
  knownOf(session).delete(path);
}

import { EventEmitter } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { isConnectionLoss, isZooKeeperError, ZooKeeperError, type ZooKeeperErrorCode } from '../zookeeper/errors.ts';
import { type NodeData, readData } from '../zookeeper/follow.ts';
import type { Session } from '../zookeeper/session.ts';
import type { Watcher } from '../zookeeper/watches.ts';
import { type Coordinate, isName } from './coordinate.ts';
import { CloudnameError } from './errors.ts';
import { standInLine } from './line.ts';
import {
  type Endpoint,
  encodeStatus,
  FRESH_STATUS,
  type ServiceState,
  type ServiceStatus,
  type StatusNode,
} from './status.ts';

const RETRY_MS = 50;
const RETRY_MS_MAX = 2_000;
/** After these a node of ours is gone, or is not ours to delete. */
const DELETED: ReadonlySet<ZooKeeperErrorCode> = new Set([
  'no_node',
  'session_expired',
  'closed',
  'auth_failed',
  'no_auth',
]);
const STATUS_BYTES_MAX = 1_000_000;

export type ClaimEvent =
  /** The coordinate is ours, and what was published stands there. */
  | 'COORDINATE_OK'
  /** It may not be ours any more: the servers have not been heard of for too long, or ended the session. */
  | 'NO_CONNECTION_TO_STORAGE'
  /** Somebody else wrote over what we published. */
  | 'COORDINATE_CORRUPTED'
  /** A write of ours met another version than the one we wrote last. */
  | 'COORDINATE_OUT_OF_SYNC'
  /** Somebody else has it, or it was not created. It is tried again. */
  | 'NOT_OWNER';

/** These are states: the same is not told twice in a row. */
const TOLD_ONCE: ReadonlySet<ClaimEvent> = new Set(['COORDINATE_OK', 'NO_CONNECTION_TO_STORAGE', 'NOT_OWNER']);

export interface ClaimEvents {
  event: [event: ClaimEvent, message: string];
  /** It is ours, proven. */
  held: [];
  /** It is not, or may not be any more: stop acting as its owner, and only then look further. */
  lost: [why: string];
  /** Cannot be done, and is tried again: not allowed, for example. */
  problem: [error: unknown];
}

export interface ClaimOptions {
  /** What to do when somebody else wrote over our status: write it again, or give the coordinate up. */
  readonly whenCorrupted?: 'rewrite' | 'step_down';
}

export interface EndpointToPublish {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly protocol: string;
  readonly endpointData?: string | null;
}

/** Our node, as last seen or written. */
interface Owned {
  readonly session: bigint;
  readonly version: number;
  readonly data: Buffer;
  readonly fencingNumber: bigint;
}

interface Waiter {
  readonly revision: number;
  settle(error: CloudnameError | null): void;
}

/**
 * Claims a coordinate and holds it until it is released: it is tried for as long as somebody else has it, and claimed
 * again when the session ended. What is published stays the same over all of that.
 *
 * Ways through it: waiting (`NOT_OWNER` was told) → held → uncertain (`lost`; the servers do not answer) → held again,
 * if the session lived on, or waiting again, if not. Stepping down and releasing end it.
 */
export class Claim extends EventEmitter<ClaimEvents> {
  readonly #session: Session;
  readonly #whenCorrupted: NonNullable<ClaimOptions['whenCorrupted']>;
  readonly #leaveLine: () => void;
  #isFirst: boolean;
  #wanted: StatusNode = { status: FRESH_STATUS, endpoints: new Map() };
  /** Counts what was asked to be published. */
  #revision = 0;
  #published = -1;
  #owned: Owned | null = null;
  #isToldHeld = false;
  #lastTold: { readonly event: ClaimEvent; readonly message: string } | null = null;
  #isWorking = false;
  #isDirty = true;
  #ended: CloudnameError | null = null;
  readonly #waiters = new Set<Waiter>();
  #working: Promise<void> = Promise.resolve();
  #left: Promise<void> | null = null;

  constructor(
    session: Session,
    readonly coordinate: Coordinate,
    { whenCorrupted = 'rewrite' }: ClaimOptions = {},
  ) {
    super();
    this.#session = session;
    this.#whenCorrupted = whenCorrupted;
    session.on('uncertain', this.#uncertain).on('certain', this.#wake).on('expired', this.#expired);
    session.on('connected', this.#wake).on('closed', this.#closed);
    const { before, leave } = standInLine(session, coordinate.statusPath);
    this.#leaveLine = leave;
    this.#isFirst = before === null;
    void before?.then(() => {
      this.#isFirst = true;
      this.#wake();
    });
    // Not before whoever makes it can listen to it.
    queueMicrotask(this.#wake);
  }

  /** Is the coordinate ours, proven by this machine's clocks alone? Right even after the process stood still. */
  isHeld(): boolean {
    return this.heldForMs() > 0;
  }

  /** For how long nobody else can get it, ms; 0: somebody else may have it. */
  heldForMs(): number {
    if (this.#ended !== null || this.#owned === null || this.#owned.session !== this.#session.id) return 0;
    return this.#session.certainForMs();
  }

  /** Grows with each claim of the coordinate by anybody; null: not held. For stores that refuse older owners. */
  get fencingNumber(): bigint | null {
    return this.isHeld() ? this.#owned!.fencingNumber : null;
  }

  /** Was it released, or did it step down? */
  get isOver(): boolean {
    return this.#ended !== null;
  }

  get status(): ServiceStatus {
    return this.#wanted.status;
  }

  /** Resolves once the coordinate is ours. @throws CloudnameError `not_owner` after `ms` */
  async held(ms: number): Promise<void> {
    if (!this.isHeld()) await this.#until(0, ms);
  }

  /**
   * Resolves when it stands in ZooKeeper. Also when that fails it is published as soon as the coordinate is ours.
   *
   * @throws CloudnameError `not_owner` when that takes longer than `ms`, `too_large`
   */
  async setStatus(state: ServiceState, message: string, ms = 10_000): Promise<void> {
    await this.#publish({ ...this.#wanted, status: { state, message } }, ms);
  }

  /** Of the same name the last one counts. @throws CloudnameError `malformed`, or as {@link setStatus} */
  async putEndpoints(endpoints: readonly EndpointToPublish[], ms = 10_000): Promise<void> {
    const checked = endpoints.map((endpoint) => this.#checked(endpoint));
    const added = checked.map((endpoint): [string, Endpoint] => [endpoint.name!, endpoint]);
    await this.#publish({ ...this.#wanted, endpoints: new Map([...this.#wanted.endpoints, ...added]) }, ms);
  }

  /** @throws CloudnameError `endpoint_missing`, or as {@link setStatus} */
  async removeEndpoints(names: readonly string[], ms = 10_000): Promise<void> {
    const endpoints = new Map(this.#wanted.endpoints);
    for (const name of names) {
      if (endpoints.delete(name)) continue;
      throw new CloudnameError('endpoint_missing', `${this.coordinate} publishes no endpoint "${name}"`);
    }
    await this.#publish({ ...this.#wanted, endpoints }, ms);
  }

  /**
   * Gives the coordinate up: it is free for others when this resolves or, if no server answers, as soon as one does or
   * the session ends. May be called twice.
   */
  async release(): Promise<void> {
    this.#end(new CloudnameError('not_owner', `the claim of ${this.coordinate} was released`));
    const waited = new AbortController();
    const late = sleep(this.#session.requestMs, undefined, { signal: waited.signal }).catch(() => undefined);
    await Promise.race([this.#leave(), late]);
    waited.abort();
  }

  readonly #wake = (): void => {
    this.#isDirty = true;
    if (this.#isWorking || this.#ended !== null) return;
    this.#isWorking = true;
    this.#working = this.#work();
  };

  readonly #watcher: Watcher = () => this.#wake();

  readonly #uncertain = (): void => {
    this.#tellLost('the ZooKeeper servers have not been heard of for too long');
    this.#tell('NO_CONNECTION_TO_STORAGE', 'the servers have not been heard of for too long');
  };

  readonly #expired = (): void => {
    this.#owned = null;
    this.#published = -1;
    this.#tellLost('the ZooKeeper session ended');
    this.#tell('NO_CONNECTION_TO_STORAGE', 'the session ended');
    this.#wake();
  };

  readonly #closed = (): void =>
    this.#end(new CloudnameError('not_owner', `${this.coordinate}: the session is closed`));

  async #work(): Promise<void> {
    let retryMs = RETRY_MS;
    while (this.#isDirty && this.#ended === null) {
      this.#isDirty = false;
      try {
        await this.#step();
        retryMs = RETRY_MS;
      } catch (error) {
        if (isZooKeeperError(error, 'closed') || isZooKeeperError(error, 'auth_failed')) {
          this.#end(new CloudnameError('not_owner', `${this.coordinate}: ${error.message}`));
          break;
        }
        this.#isDirty = true;
        const isPassing = isConnectionLoss(error) || isZooKeeperError(error, 'session_expired');
        if (!isPassing) this.emit('problem', error);
        await sleep(retryMs, undefined, { ref: false });
        retryMs = Math.min(RETRY_MS_MAX, retryMs * 2);
      }
    }
    // Here, and not when the promise is seen to be settled: what is asked for in between would be done by nobody.
    this.#isWorking = false;
  }

  /** Looks at what stands there, and brings it one step nearer to what should. */
  async #step(): Promise<void> {
    if (!this.#isFirst) {
      this.#tell('NOT_OWNER', `another claim of ${this.coordinate} in this process comes first`);
      return;
    }
    const session = this.#session.id;
    if (session === 0n) return;
    const node = await readData(this.#session, this.coordinate.statusPath, this.#watcher);
    if (this.#ended !== null || session !== this.#session.id) return;
    if (node === null) await this.#create(session);
    else if (node.stat.ephemeralOwner !== session) this.#taken();
    else await this.#keep(session, node);
  }

  async #create(session: bigint): Promise<void> {
    if (this.#owned?.session === session) this.#tellLost('somebody deleted the status node');
    this.#owned = null;
    const revision = this.#revision;
    try {
      await this.#session.create(this.coordinate.statusPath, encodeStatus(this.#wanted), {
        mode: 'ephemeral',
        session,
      });
    } catch (error) {
      if (isZooKeeperError(error, 'no_node')) await this.#notCreated();
      else if (!isZooKeeperError(error, 'node_exists')) throw error;
      else this.#isDirty = true;
      return;
    }
    this.#published = revision;
    // The next step sees it, as ours.
    this.#isDirty = true;
  }

  async #notCreated(): Promise<void> {
    this.#tell('NOT_OWNER', `${this.coordinate} was not created`);
    const stat = await this.#session.exists(this.coordinate.path, this.#watcher);
    if (stat !== null) this.#isDirty = true;
  }

  #taken(): void {
    if (this.#owned !== null) this.#tellLost('somebody else has claimed it');
    this.#owned = null;
    this.#tell('NOT_OWNER', `somebody else has claimed ${this.coordinate}`);
  }

  /** The node is ours: of this claim, or of an attempt whose answer was lost. */
  async #keep(session: bigint, { data, stat }: NodeData): Promise<void> {
    const present = data ?? Buffer.alloc(0);
    const last = this.#owned;
    const fencingNumber = stat.createdZxid;
    this.#owned = { session, version: stat.version, data: present, fencingNumber };
    const revision = this.#revision;
    const wanted = encodeStatus(this.#wanted);
    if (present.equals(wanted)) {
      this.#published = revision;
      this.#ok();
      return;
    }
    // An answer to our own write may have been lost; what was changed is not ours only if it is neither.
    const isForeign = last?.session === session && stat.version !== last.version && !present.equals(last.data);
    if (isForeign && !this.#corrupted()) return;
    await this.#write(session, wanted, revision);
  }

  /** @returns Does it go on? */
  #corrupted(): boolean {
    this.#tell('COORDINATE_CORRUPTED', `somebody else wrote over the status of ${this.coordinate}`);
    if (this.#whenCorrupted === 'rewrite') return true;
    this.#end(new CloudnameError('not_owner', `stepped down from ${this.coordinate}: its status was overwritten`));
    void this.#leave();
    return false;
  }

  async #write(session: bigint, wanted: Buffer, revision: number): Promise<void> {
    const { version, fencingNumber } = this.#owned!;
    // Before the answer, which may be lost: what we wrote must not be taken for somebody else's.
    this.#owned = { session, version, data: wanted, fencingNumber };
    this.#isDirty = true;
    try {
      const stat = await this.#session.setData(this.coordinate.statusPath, wanted, version, { session });
      this.#owned = { session, version: stat.version, data: wanted, fencingNumber };
      this.#published = revision;
      this.#ok();
    } catch (error) {
      if (isZooKeeperError(error, 'no_node')) return;
      if (!isZooKeeperError(error, 'bad_version')) throw error;
      this.#tell('COORDINATE_OUT_OF_SYNC', `the status of ${this.coordinate} is not the one we wrote last`);
    }
  }

  #ok(): void {
    if (!this.isHeld()) return;
    if (!this.#isToldHeld) {
      this.#isToldHeld = true;
      this.emit('held');
    }
    this.#tell('COORDINATE_OK', `${this.coordinate} is ours`);
    for (const waiter of [...this.#waiters]) if (waiter.revision <= this.#published) waiter.settle(null);
  }

  #tell(event: ClaimEvent, message: string): void {
    if (this.#ended !== null) return;
    const isNews = event !== this.#lastTold?.event || !TOLD_ONCE.has(event);
    this.#lastTold = { event, message };
    if (isNews) this.emit('event', event, message);
  }

  #tellLost(why: string): void {
    if (!this.#isToldHeld) return;
    this.#isToldHeld = false;
    this.emit('lost', why);
  }

  async #publish(wanted: StatusNode, ms: number): Promise<void> {
    const size = encodeStatus(wanted).length;
    if (size > STATUS_BYTES_MAX) {
      const message = `the status and the endpoints would take ${size} bytes, of ${STATUS_BYTES_MAX} at most`;
      throw new CloudnameError('too_large', message);
    }
    this.#wanted = wanted;
    const published = this.#until(++this.#revision, ms);
    this.#wake();
    await published;
  }

  /** Resolves when the coordinate is ours, and what was asked for by then stands there. */
  #until(revision: number, ms: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        revision,
        settle: (error) => {
          clearTimeout(timer);
          this.#waiters.delete(waiter);
          if (error === null) resolve();
          else reject(error);
        },
      };
      const timer = setTimeout(() => {
        const why = this.#lastTold?.message ?? 'no server answered';
        waiter.settle(new CloudnameError('not_owner', `${this.coordinate} is not ours after ${ms} ms: ${why}`));
      }, ms);
      this.#waiters.add(waiter);
      if (this.#ended !== null) waiter.settle(this.#ended);
    });
  }

  #end(why: CloudnameError): void {
    if (this.#ended !== null) return;
    this.#ended = why;
    this.#session.off('uncertain', this.#uncertain).off('certain', this.#wake).off('expired', this.#expired);
    this.#session.off('connected', this.#wake).off('closed', this.#closed);
    this.#tellLost(why.message);
    for (const waiter of [...this.#waiters]) waiter.settle(why);
  }

  #leave(): Promise<void> {
    this.#left ??= this.#working
      .then(() => this.#deleteOwn())
      .finally(() => {
        for (const path of [this.coordinate.statusPath, this.coordinate.path]) {
          this.#session.forget(path, this.#watcher);
        }
        this.#leaveLine();
      });
    return this.#left;
  }

  /** Tries for as long as the session lives, which may outlive an outage, and the node with it. */
  async #deleteOwn(): Promise<void> {
    const path = this.coordinate.statusPath;
    const session = this.#session.id;
    if (!this.#isFirst) return;
    let retryMs = RETRY_MS;
    while (this.#session.id === session) {
      try {
        const stat = await this.#session.exists(path);
        // Also one of whose creation the answer was lost.
        if (stat?.ephemeralOwner === session) await this.#session.delete(path, undefined, { session });
        return;
      } catch (error) {
        if (!(error instanceof ZooKeeperError)) throw error;
        if (DELETED.has(error.code)) return;
      }
      await sleep(retryMs, undefined, { ref: false });
      retryMs = Math.min(RETRY_MS_MAX, retryMs * 2);
    }
  }

  #checked({ name, host, port, protocol, endpointData = null }: EndpointToPublish): Endpoint {
    const isRight =
      isName(name) && host !== '' && protocol !== '' && Number.isInteger(port) && port >= 0 && port < 65_536;
    if (!isRight) {
      const shown = JSON.stringify({ name, host, port, protocol });
      throw new CloudnameError('malformed', `${shown} is not an endpoint: name, host, port and protocol must be right`);
    }
    return { coordinate: this.coordinate, name, host, port, protocol, endpointData };
  }
}

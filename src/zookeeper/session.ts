import { EventEmitter } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseConnectString, type ServerAddress } from './connect-string.ts';
import { Connection, type Credentials } from './connection.ts';
import { isZooKeeperError, MultiError, ZooKeeperError, type ZooKeeperErrorCode } from './errors.ts';
import { Heartbeat } from './heartbeat.ts';
import { HEARTBEATS_PER_TIMEOUT, Lease } from './lease.ts';
import {
  type Acl,
  ANY_VERSION,
  type ConnectAnswer,
  create,
  exists,
  getAcl,
  getChildren,
  getData,
  type Mode,
  type MultiOperation,
  multi,
  OPCODE,
  OPEN_ACL,
  READS,
  type Request,
  remove,
  type Stat,
  setData,
} from './protocol.ts';
import { RequestQueue } from './request-queue.ts';
import { type Watch, type Watcher, Watches } from './watches.ts';

const SESSION_MS_DEFAULT = 10_000;
const REQUEST_MS_DEFAULT = 10_000;
const ACCEPT_MS_MIN = 200;
const RECONNECT_MS_MAX = 1_000;
const RECONNECT_MS_MIN = 20;
/** Rounds through all servers are counted no further. */
const ROUNDS_MAX = 10;
const CLOSE_MS_MAX = 1_000;
/** In times of the session: for how long servers that have not seen what this client saw are taken for late ones. */
const LATE_MAX = 2;

export interface SessionOptions {
  /** `host:port,host:port/chroot`. */
  readonly connect: string;
  /** How long the session outlives a lost connection, ms. The servers bound it: by 2 and 20 of their ticks by default. */
  readonly sessionMs?: number;
  /** How long a request may wait for a connection, ms. */
  readonly requestMs?: number;
  /** For ACLs of scheme `digest` and `auth`. */
  readonly auth?: readonly { readonly user: string; readonly password: string }[];
  /** Of the nodes created without one of their own; by default anybody may do anything. */
  readonly acl?: readonly Acl[];
  /** Of a session that was left by a process before this one: it goes on, with all that is ephemeral, if it still lives. */
  readonly resume?: SessionCredentials;
}

/** By which another connection takes a session over. */
export interface SessionCredentials {
  readonly id: bigint;
  readonly password: Buffer;
}

export interface SessionEvents {
  /** There is a connection. `fresh`: the session is a new one; what was ephemeral in an earlier one is gone. */
  connected: [{ readonly fresh: boolean }];
  /** The connection is lost; another one is sought. */
  disconnected: [why: ZooKeeperError];
  /** The servers ended the session. A new one is begun. */
  expired: [];
  /** From now on the session may have ended at any time, until `certain` says otherwise. */
  uncertain: [];
  certain: [];
  /** The session does not go on: it was closed, or its credentials were refused. */
  closed: [why: ZooKeeperError | null];
}

interface RequestOptions {
  /** Only within this session: refused with `session_expired` in any later one. */
  readonly session?: bigint | undefined;
}

/**
 * A session with an ensemble of ZooKeeper servers, over one connection at a time, which is sought again whenever it is
 * lost. When the servers have ended the session, a new one is begun.
 *
 * A connection counts as lost when a heartbeat is not answered within a quarter of the session's time; a silent network
 * is noticed as well as a closed one. Requests wait for a connection for a bounded time. What only reads is sent again
 * over the next connection, within that time, when it was not answered. A request that may have changed something is
 * rejected with `outcomeUnknown` then, and never sent again by itself.
 *
 * @throws TypeError when the connect string is wrong
 */
export class Session extends EventEmitter<SessionEvents> {
  readonly #options: Required<Omit<SessionOptions, 'auth' | 'resume'>> & {
    readonly credentials: readonly Credentials[];
  };
  readonly #servers: readonly ServerAddress[];
  readonly #chroot: string;
  readonly #lease = new Lease();
  readonly #queue: RequestQueue;
  readonly #watches = new Watches();
  #nextServer: number;
  #connection: Connection | null = null;
  #accepted = false;
  #id = 0n;
  #password: Buffer = Buffer.alloc(16);
  #timeoutMs: number;
  #lastZxid = 0n;
  #failures = 0;
  #lostAtMs = 0;
  #heartbeat: Heartbeat | null = null;
  #leaseTimer: NodeJS.Timeout | null = null;
  #wasCertain = false;
  #closed: ZooKeeperError | null = null;

  constructor(options: SessionOptions) {
    super();
    this.setMaxListeners(0);
    const { connect, auth = [], acl = OPEN_ACL } = options;
    const { sessionMs = SESSION_MS_DEFAULT, requestMs = REQUEST_MS_DEFAULT } = options;
    const credentials = auth.map(({ user, password }) => ({ scheme: 'digest', auth: `${user}:${password}` }));
    this.#options = { connect, sessionMs, requestMs, acl, credentials };
    const { servers, chroot } = parseConnectString(connect);
    this.#servers = servers;
    this.#chroot = chroot;
    this.#queue = new RequestQueue(servers.map(({ host, port }) => `${host}:${port}`).join(', '), () => this.#drain());
    this.#timeoutMs = sessionMs;
    this.#id = options.resume?.id ?? 0n;
    this.#password = options.resume?.password ?? this.#password;
    // Clients spread over the servers.
    this.#nextServer = Math.floor(Math.random() * servers.length);
    this.#connect();
  }

  /** Of the present session; 0: none was begun yet. */
  get id(): bigint {
    return this.#id;
  }

  get credentials(): SessionCredentials {
    return { id: this.#id, password: this.#password };
  }

  /** What the servers granted, ms; what was asked for before they did. */
  get timeoutMs(): number {
    return this.#timeoutMs;
  }

  /** How long a request may wait for a connection, ms. */
  get requestMs(): number {
    return this.#options.requestMs;
  }

  get isConnected(): boolean {
    return this.#accepted;
  }

  get isClosed(): boolean {
    return this.#closed !== null;
  }

  /** ACL of the nodes created without one of their own. */
  get acl(): readonly Acl[] {
    return this.#options.acl;
  }

  /**
   * ms for which the session is certain to live on, proven on this side alone; 0: the servers may have ended it. True
   * also in a process that was stopped for a while and does not know it yet.
   */
  certainForMs(): number {
    return this.#lease.certainForMs();
  }

  /** Resolves when there is a connection. @throws ZooKeeperError `connection_loss` after `ms` */
  async ready(ms = this.#options.requestMs): Promise<this> {
    await this.#submit((connection) => connection.request(exists('/', false)).catch(ignoreRefusals), {}, ms);
    return this;
  }

  /** @returns The path created, with its number if sequential. */
  async create(
    path: string,
    data: Uint8Array | null,
    { mode = 'persistent', acl = this.acl, session }: { mode?: Mode; acl?: readonly Acl[] } & RequestOptions = {},
  ): Promise<string> {
    const created = await this.#request(create(this.#full(path), data, mode, acl), { session });
    return this.#relative(created);
  }

  async delete(path: string, version = ANY_VERSION, options: RequestOptions = {}): Promise<void> {
    await this.#request(remove(this.#full(path), version), options);
  }

  /** @returns Null: there is no such node. The watcher is told when that changes, too. */
  async exists(path: string, watcher?: Watcher): Promise<Stat | null> {
    try {
      return await this.#request(exists(this.#full(path), watcher !== undefined), {}, watch('data', path, watcher));
    } catch (error) {
      if (isZooKeeperError(error, 'no_node')) return null;
      throw error;
    }
  }

  getData(path: string, watcher?: Watcher): Promise<{ data: Buffer | null; stat: Stat }> {
    return this.#request(getData(this.#full(path), watcher !== undefined), {}, watch('data', path, watcher));
  }

  setData(path: string, data: Uint8Array | null, version = ANY_VERSION, options: RequestOptions = {}): Promise<Stat> {
    return this.#request(setData(this.#full(path), data, version), options);
  }

  getChildren(path: string, watcher?: Watcher): Promise<{ children: string[]; stat: Stat }> {
    return this.#request(getChildren(this.#full(path), watcher !== undefined), {}, watch('children', path, watcher));
  }

  getAcl(path: string): Promise<{ acl: Acl[]; stat: Stat }> {
    return this.#request(getAcl(this.#full(path)));
  }

  /** The watcher is not told any more. */
  forget(path: string, watcher: Watcher): void {
    this.#watches.forget(path, watcher);
  }

  /** All or nothing. @returns The paths created, null for operations of other kinds. @throws MultiError */
  async multi(operations: readonly MultiOperation[], options: RequestOptions = {}): Promise<(string | null)[]> {
    const full = operations.map((operation) => ({ ...operation, path: this.#full(operation.path) }));
    const created = await this.#request(multi(full), options);
    return created.map((path) => (path === null ? null : this.#relative(path)));
  }

  /** Ends the session, and with it all that is ephemeral in it. Nothing can be asked of it any more. */
  async close(): Promise<void> {
    if (this.#closed !== null) return;
    const connection = this.#accepted ? this.#connection : null;
    if (connection !== null) {
      const goodbye: Request<void> = { opcode: OPCODE.closeSession, path: '/', write: () => {}, read: () => {} };
      const answered = connection.request(goodbye).catch(() => undefined);
      await Promise.race([answered, sleep(CLOSE_MS_MAX, undefined, { ref: false })]);
    }
    this.#end(null);
  }

  /**
   * Lets the session go on without this process, for its time: another one may {@link SessionOptions.resume} it. Nothing
   * can be asked of it here any more.
   */
  leave(): void {
    this.#end(null);
  }

  async #request<T>(request: Request<T>, options: RequestOptions = {}, watch: Watch | null = null): Promise<T> {
    const send = (connection: Connection) => connection.request(request, this.#whenAnswered(request, watch));
    const deadline = performance.now() + this.#options.requestMs;
    for (;;) {
      const leftMs = deadline - performance.now();
      try {
        return await this.#submit(send, options, Math.max(0, leftMs));
      } catch (error) {
        const wasSent = isZooKeeperError(error, 'connection_loss') && error.outcomeUnknown;
        if (!wasSent || !READS.has(request.opcode) || leftMs <= 0) throw error;
      }
    }
  }

  /** Registers a watch when its answer is read, so that no notification can come before. */
  #whenAnswered(request: Request<unknown>, watch: Watch | null) {
    if (watch === null) return undefined;
    return (code: ZooKeeperErrorCode | null) => {
      const isSet = code === null || (code === 'no_node' && request.opcode === OPCODE.exists);
      if (isSet) this.#watches.add(watch);
    };
  }

  #submit<T>(
    send: (connection: Connection) => Promise<T>,
    { session }: RequestOptions,
    waitMs = this.#options.requestMs,
  ): Promise<T> {
    if (this.#closed !== null) return Promise.reject(this.#closed);
    const answered = this.#queue.add(send, session ?? null, waitMs);
    this.#drain();
    return answered;
  }

  #drain(): void {
    if (this.#connection !== null && this.#accepted) this.#queue.sendOver(this.#connection, this.#id);
  }

  #connect(): void {
    if (this.#closed !== null) return;
    const server = this.#servers[this.#nextServer]!;
    this.#nextServer = (this.#nextServer + 1) % this.#servers.length;
    // In a third of the session's time all servers can be tried. When none accepts, they may need more than that.
    const inTimeMs = Math.max(ACCEPT_MS_MIN, this.#timeoutMs / 3 / this.#servers.length);
    const acceptMs = Math.max(inTimeMs, Math.min(this.#timeoutMs, inTimeMs * 2 ** this.#round));
    const { sessionMs, credentials } = this.#options;
    // A server refuses whoever has seen more than it has, as it may be late. After so long it is not: the servers lost
    // their data, or were given older data, and know best whether the session lives.
    const isLate = performance.now() - this.#lostAtMs < LATE_MAX * this.#timeoutMs;
    const request = {
      lastZxid: isLate ? this.#lastZxid : 0n,
      timeoutMs: sessionMs,
      sessionId: this.#id,
      password: this.#password,
    };
    const connection: Connection = new Connection(server, request, credentials, acceptMs, {
      accepted: (answer, asked) => {
        if (answer.timeoutMs <= 0) this.#expired(connection);
        else {
          this.#lease.connected(asked, answer.timeoutMs);
          this.#established(connection, answer);
        }
      },
      notified: (event) => this.#watches.notify({ ...event, path: this.#relative(event.path) }),
      ended: (why) => this.#lost(connection, why),
    });
    this.#connection = connection;
  }

  #established(connection: Connection, { timeoutMs, sessionId, password }: ConnectAnswer): void {
    const fresh = sessionId !== this.#id;
    this.#id = sessionId;
    this.#password = password;
    this.#timeoutMs = timeoutMs;
    this.#failures = 0;
    this.#accepted = true;
    // First: so whatever is asked over this connection is answered as of after all that was done over the one before.
    this.#heartbeat = new Heartbeat(connection, timeoutMs, (sent) => {
      this.#lease.answered(sent);
      this.#tellCertainty();
    });
    this.emit('connected', { fresh });
    this.#drain();
  }

  #lost(connection: Connection, why: ZooKeeperError): void {
    if (connection !== this.#connection) return;
    const hadOne = this.#accepted;
    this.#connection = null;
    this.#accepted = false;
    this.#heartbeat?.stop();
    if (why.code === 'auth_failed') {
      this.#end(why);
      return;
    }
    if (hadOne) {
      this.#lastZxid = connection.lastZxid;
      this.#lostAtMs = performance.now();
      this.emit('disconnected', why);
      this.#watches.connectionLost();
    }
    this.#connectLater();
  }

  /** At once to the next server; when none answers, later and later. */
  #connectLater(): void {
    // A short session must not end while this side waits to try again.
    const longest = Math.min(RECONNECT_MS_MAX, this.#timeoutMs / HEARTBEATS_PER_TIMEOUT);
    const most = Math.min(longest, RECONNECT_MS_MIN * 2 ** this.#round);
    const ms = this.#failures++ === 0 ? 0 : most * (0.5 + Math.random() / 2);
    setTimeout(() => this.#connect(), ms);
  }

  /** How often all servers were tried in vain. */
  get #round(): number {
    return Math.min(ROUNDS_MAX, Math.floor(this.#failures / this.#servers.length));
  }

  #expired(connection: Connection): void {
    this.#connection = null;
    connection.end('says that the session has ended');
    this.#id = 0n;
    this.#password = Buffer.alloc(16);
    this.#lastZxid = 0n;
    this.#timeoutMs = this.#options.sessionMs;
    this.#lease.lost();
    this.#tellCertainty();
    this.emit('expired');
    this.#connect();
  }

  #tellCertainty(): void {
    if (this.#leaseTimer !== null) clearTimeout(this.#leaseTimer);
    const ms = this.#lease.certainForMs();
    if (ms > 0) this.#leaseTimer = setTimeout(() => this.#tellCertainty(), Math.ceil(ms) + 1).unref();
    const isCertain = ms > 0;
    if (isCertain === this.#wasCertain) return;
    this.#wasCertain = isCertain;
    this.emit(isCertain ? 'certain' : 'uncertain');
  }

  #end(why: ZooKeeperError | null): void {
    if (this.#closed !== null) return;
    const error = why ?? new ZooKeeperError('closed', 'the session with ZooKeeper is closed');
    this.#closed = error;
    const connection = this.#connection;
    this.#connection = null;
    this.#accepted = false;
    this.#heartbeat?.stop();
    connection?.end('was left, as the session is closed');
    this.#lease.lost();
    this.#tellCertainty();
    this.#queue.rejectAll(error);
    this.#watches.connectionLost();
    this.emit('closed', why);
  }

  #full(path: string): string {
    return path === '/' && this.#chroot !== '' ? this.#chroot : this.#chroot + path;
  }

  #relative(path: string): string {
    return path.slice(this.#chroot.length) || '/';
  }
}

function watch(kind: Watch['kind'], path: string, watcher: Watcher | undefined): Watch | null {
  return watcher === undefined ? null : { kind, path, watcher };
}

function ignoreRefusals(error: unknown): void {
  // An answer is an answer: the chroot may be missing, or not be ours to read.
  if (error instanceof MultiError || !(error instanceof ZooKeeperError) || error.code === 'connection_loss')
    throw error;
}

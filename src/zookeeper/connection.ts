import { connect, type Socket } from 'node:net';
import type { ServerAddress } from './connect-string.ts';
import { codeOf, ZooKeeperError } from './errors.ts';
import { JuteReader, JuteWriter } from './jute.ts';
import { type Moment, moment } from './lease.ts';
import {
  authRequest,
  type ConnectAnswer,
  type ConnectRequest,
  connectRequest,
  OPCODE,
  type Request,
  readConnectAnswer,
  readWatchEvent,
  type WatchEvent,
  XID,
} from './protocol.ts';

const FRAME_BYTES_MAX = 64 << 20;

export interface Credentials {
  readonly scheme: string;
  /** For `digest`: user:password. */
  readonly auth: string;
}

export interface ConnectionListener {
  /** The server took the connection, for the session it names; `asked` is when it was asked to. */
  accepted(answer: ConnectAnswer, asked: Moment): void;
  notified(event: WatchEvent): void;
  /** Once, and last. Requests without an answer were rejected before. */
  ended(error: ZooKeeperError): void;
}

interface Pending {
  readonly xid: number;
  readonly request: Request<unknown>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  readonly answered?: ((code: ZooKeeperError['code'] | null) => void) | undefined;
}

/**
 * One TCP connection to one server. Answers come in the order of the requests. Any disorder ends the connection:
 * nothing is guessed.
 */
export class Connection {
  readonly #socket: Socket;
  readonly #listener: ConnectionListener;
  readonly #deadline: NodeJS.Timeout;
  readonly #pending: Pending[] = [];
  #xid = 0;
  #input: Buffer[] = [];
  #inputBytes = 0;
  #accepted = false;
  #ended = false;
  #asked: Moment = moment();
  #outbox: Buffer[] = [];

  /** The highest transaction seen. */
  lastZxid: bigint;

  constructor(
    readonly server: ServerAddress,
    request: ConnectRequest,
    credentials: readonly Credentials[],
    acceptMs: number,
    listener: ConnectionListener,
  ) {
    this.#listener = listener;
    this.lastZxid = request.lastZxid;
    this.#socket = connect({ host: server.host, port: server.port, noDelay: true });
    this.#deadline = setTimeout(() => this.end('did not answer in time'), acceptMs);
    this.#socket.on('connect', () => {
      this.#asked = moment();
      this.#send(connectRequest(request));
      for (const { scheme, auth } of credentials) this.#send(authRequest(scheme, auth));
    });
    this.#socket.on('data', (chunk) => this.#receive(chunk));
    this.#socket.on('error', (error) => this.end(error.message));
    this.#socket.on('close', () => this.end('closed the connection'));
  }

  get pendingCount(): number {
    return this.#pending.length;
  }

  /**
   * @param answered Called in the order of what the server sent, before any later notification: the place to register
   *   a watch.
   */
  request<T>(request: Request<T>, answered?: (code: ZooKeeperError['code'] | null) => void): Promise<T> {
    if (this.#ended) return Promise.reject(new ZooKeeperError('connection_loss', 'there is no connection'));
    const xid = this.#nextXid();
    const writer = new JuteWriter().int(xid).int(request.opcode);
    request.write(writer);
    this.#send(writer.result());
    return new Promise<T>((resolve, reject) => {
      this.#pending.push({ xid, request, resolve: resolve as (value: unknown) => void, reject, answered });
    });
  }

  end(why: string, code: ZooKeeperError['code'] = 'connection_loss'): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#deadline);
    this.#socket.destroy();
    const { host, port } = this.server;
    for (const { request, reject } of this.#pending.splice(0)) {
      const message = `ZooKeeper ${host}:${port} ${why} before it answered what was asked of ${request.path}`;
      reject(new ZooKeeperError('connection_loss', message, true));
    }
    this.#listener.ended(new ZooKeeperError(code, `ZooKeeper ${host}:${port} ${why}`));
  }

  #nextXid(): number {
    this.#xid = this.#xid === 0x7fffffff ? 1 : this.#xid + 1;
    return this.#xid;
  }

  /** What one turn of the event loop sends goes in one packet. */
  #send(payload: Buffer): void {
    const length = Buffer.allocUnsafe(4);
    length.writeInt32BE(payload.length);
    if (this.#outbox.length === 0) queueMicrotask(() => this.#flush());
    this.#outbox.push(length, payload);
  }

  #flush(): void {
    if (this.#ended) return;
    this.#socket.write(Buffer.concat(this.#outbox));
    this.#outbox = [];
  }

  #receive(chunk: Buffer): void {
    this.#input.push(chunk);
    this.#inputBytes += chunk.length;
    let data = this.#input.length === 1 ? chunk : null;
    let at = 0;
    while (!this.#ended && this.#inputBytes - at >= 4) {
      data ??= Buffer.concat(this.#input);
      const length = data.readInt32BE(at);
      if (length < 0 || length > FRAME_BYTES_MAX) {
        this.end(`sent a packet of ${length} bytes`);
        return;
      }
      if (data.length - at < 4 + length) break;
      this.#frame(data.subarray(at + 4, at + 4 + length));
      at += 4 + length;
    }
    if (at > 0 && data !== null) {
      const rest = data.subarray(at);
      this.#input = rest.length === 0 ? [] : [rest];
      this.#inputBytes = rest.length;
    }
  }

  #frame(frame: Buffer): void {
    const reader = new JuteReader(frame);
    try {
      if (this.#accepted) this.#answer(reader);
      else this.#accept(reader);
    } catch (error) {
      this.end(`sent what cannot be read: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  #accept(reader: JuteReader): void {
    this.#accepted = true;
    clearTimeout(this.#deadline);
    this.#listener.accepted(readConnectAnswer(reader), this.#asked);
  }

  #answer(reader: JuteReader): void {
    const xid = reader.int();
    const zxid = reader.long();
    const error = reader.int();
    if (xid === XID.notification) {
      const event = readWatchEvent(reader);
      if (event !== null) this.#listener.notified(event);
      return;
    }
    if (xid === XID.auth) {
      if (error !== 0) this.end('refused the credentials', 'auth_failed');
      return;
    }
    if (xid === XID.ping) return;
    if (zxid > this.lastZxid) this.lastZxid = zxid;
    const pending = this.#pending.shift();
    if (pending === undefined || pending.xid !== xid) {
      if (pending !== undefined) this.#pending.unshift(pending);
      throw new Error(`an answer to request ${xid}, which was not next`);
    }
    this.#settle(pending, error, reader);
  }

  #settle({ request, resolve, reject, answered }: Pending, error: number, reader: JuteReader): void {
    const code = error === 0 ? null : codeOf(error);
    answered?.(code);
    if (code !== null) {
      reject(new ZooKeeperError(code, `${request.path}: ${code}`));
      return;
    }
    try {
      resolve(request.opcode === OPCODE.closeSession ? undefined : request.read(reader));
    } catch (failure) {
      if (failure instanceof ZooKeeperError) {
        reject(failure);
        return;
      }
      reject(new ZooKeeperError('marshalling_error', `the answer on ${request.path} cannot be read`, true));
      throw failure;
    }
  }
}

/** Calls over HTTP, each on a connection that nobody else uses meanwhile. */
import { type Dispatcher, Pool } from 'undici';

export interface HttpCall {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** JSON; undefined: none. */
  readonly body?: string;
  readonly idempotencyKey?: string;
}

/** `failure`: why there is no answer, and whether the call may have reached the service all the same. */
export type HttpAnswer =
  | { readonly status: number; readonly body: string }
  | { readonly failure: string; readonly mayHaveArrived: boolean };

/** These come before anything is sent. */
const NEVER_SENT = ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'UND_ERR_CONNECT_TIMEOUT'];

export interface HttpSenderOptions {
  /** `http://host:port`, one or several, which take turns. */
  readonly addresses: readonly string[];
  readonly apiKey: string;
  /** Connections at most, over all addresses. */
  readonly connectionsMax: number;
  readonly timeoutMs: number;
}

export class HttpSender {
  readonly #pools: readonly Pool[];
  readonly #authorization: string;
  #turn = 0;

  constructor({ addresses, apiKey, connectionsMax, timeoutMs }: HttpSenderOptions) {
    const connections = Math.ceil(connectionsMax / addresses.length);
    const options = { connections, pipelining: 1, headersTimeout: timeoutMs, bodyTimeout: timeoutMs };
    this.#pools = addresses.map((address) => new Pool(address, { ...options, connect: { timeout: timeoutMs } }));
    this.#authorization = `Bearer ${apiKey}`;
  }

  send({ method, path, body, idempotencyKey }: HttpCall, answered: (answer: HttpAnswer) => void): void {
    const headers: Record<string, string> = { authorization: this.#authorization };
    if (body !== undefined) headers['content-type'] = 'application/json';
    if (idempotencyKey !== undefined) headers['idempotency-key'] = idempotencyKey;
    const pool = this.#pools[this.#turn++ % this.#pools.length]!;
    pool.dispatch({ method, path, headers, body: body ?? null }, new Receiver(answered));
  }

  async close(): Promise<void> {
    await Promise.all(this.#pools.map((pool) => pool.destroy()));
  }
}

class Receiver implements Dispatcher.DispatchHandler {
  #status = 0;
  #body = '';

  constructor(readonly answered: (answer: HttpAnswer) => void) {}

  // Without it undici takes this for a handler of its older kind.
  onRequestStart(): void {}

  onResponseStart(_: unknown, status: number): void {
    this.#status = status;
  }

  onResponseData(_: unknown, chunk: Buffer): void {
    this.#body += chunk.toString('utf8');
  }

  onResponseEnd(): void {
    this.answered({ status: this.#status, body: this.#body });
  }

  onResponseError(_: unknown, error: Error & { code?: string }): void {
    const code = error.code ?? error.name;
    this.answered({ failure: `${code}: ${error.message}`, mayHaveArrived: !NEVER_SENT.includes(code) });
  }
}

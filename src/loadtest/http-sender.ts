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

const LOOK_MS = 20;
const BODY_BYTES_MAX = 4 * 2 ** 20;

export interface HttpSenderOptions {
  /** `http://host:port`, one or several, which take turns. */
  readonly addresses: readonly string[];
  readonly apiKey: string;
  /** Connections to each address at most. */
  readonly connectionsMax: number;
  /** Of a call, from when it was handed over to the end of its answer. */
  readonly timeoutMs: number;
}

export class HttpSender {
  readonly #pools: readonly Pool[];
  readonly #authorization: string;
  readonly #timeoutMs: number;
  /** In the order of their deadlines. */
  readonly #waiting = new Set<Receiver>();
  readonly #timer: NodeJS.Timeout;
  #turn = 0;

  constructor({ addresses, apiKey, connectionsMax: connections, timeoutMs }: HttpSenderOptions) {
    // Undici's own timeouts begin when a call is written, and anew with each piece of an answer.
    const options = { connections, pipelining: 1, headersTimeout: 0, bodyTimeout: 0, connect: { timeout: timeoutMs } };
    this.#pools = addresses.map((address) => new Pool(address, options));
    this.#authorization = `Bearer ${apiKey}`;
    this.#timeoutMs = timeoutMs;
    this.#timer = setInterval(() => this.#endThoseOverdue(), LOOK_MS);
  }

  /** `answered` is called once, soon after the timeout at the latest. */
  send({ method, path, body, idempotencyKey }: HttpCall, answered: (answer: HttpAnswer) => void): void {
    const headers: Record<string, string> = { authorization: this.#authorization };
    if (body !== undefined) headers['content-type'] = 'application/json';
    if (idempotencyKey !== undefined) headers['idempotency-key'] = idempotencyKey;
    const pool = this.#pools[this.#turn++ % this.#pools.length]!;
    const receiver = new Receiver(performance.now() + this.#timeoutMs, (answer) => {
      this.#waiting.delete(receiver);
      answered(answer);
    });
    this.#waiting.add(receiver);
    pool.dispatch({ method, path, headers, body: body ?? null }, receiver);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#pools.map((pool) => pool.destroy()));
  }

  #endThoseOverdue(): void {
    const now = performance.now();
    for (const receiver of this.#waiting) {
      if (receiver.deadline > now) return;
      receiver.giveUp(`no answer within ${this.#timeoutMs} ms`);
    }
  }
}

class Receiver implements Dispatcher.DispatchHandler {
  #controller: Dispatcher.DispatchController | null = null;
  #status = 0;
  #body = '';
  #isAnswered = false;

  constructor(
    readonly deadline: number,
    readonly answered: (answer: HttpAnswer) => void,
  ) {}

  /** Ends the call, whether it was written already or not. */
  giveUp(failure: string): void {
    this.#fail(failure);
    this.#controller?.abort(new Error(failure));
  }

  /** Just before it is written. */
  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#isAnswered) controller.abort(new Error('it was given up'));
  }

  onResponseStart(_: unknown, status: number): void {
    this.#status = status;
  }

  onResponseData(_: unknown, chunk: Buffer): void {
    if (this.#isAnswered) return;
    this.#body += chunk.toString('utf8');
    if (this.#body.length > BODY_BYTES_MAX) this.giveUp(`the answer is longer than ${BODY_BYTES_MAX} bytes`);
  }

  onResponseEnd(): void {
    this.#end({ status: this.#status, body: this.#body });
  }

  onResponseError(_: unknown, error: Error & { code?: string }): void {
    this.#fail(`${error.code ?? error.name}: ${error.message}`);
  }

  /** What was never begun has not arrived: there was no connection. */
  #fail(failure: string): void {
    this.#end({ failure, mayHaveArrived: this.#controller !== null });
  }

  #end(answer: HttpAnswer): void {
    if (this.#isAnswered) return;
    this.#isAnswered = true;
    this.answered(answer);
  }
}

import { hash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type {
  ChangeMessageVisibilityBatchRequest,
  ChangeMessageVisibilityBatchResult,
  DeleteMessageBatchRequest,
  DeleteMessageBatchResult,
  Message,
  ReceiveMessageRequest,
  ReceiveMessageResult,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { SignatureV4 } from '@smithy/signature-v4';
import { Pool } from 'undici';
import { backoffMs } from '../ledger/retry.ts';
import { CONNECT_TIMEOUT_MS, REQUEST_TIMEOUT_MS } from './client.ts';

/** For deletes and changes of visibility, which must not wait until a long poll ends. */
const CONNECTIONS_BESIDE = 16;
/** An answer takes no longer as a whole. */
const ANSWER_TIMEOUT_MS = 60_000;
/** Ten messages of 1 MiB, each character of them written as six. */
const ANSWER_BYTES_MAX = 64 << 20;
const ATTEMPTS_MAX = 3;
const RETRY_BASE_MS = 100;
const RETRY_MAX_MS = 2_000;
const CONTENT_TYPE = 'application/x-amz-json-1.0';
const THROTTLED = /throttl|SlowDown|TooManyRequests/i;
const ANSWER_CHARACTERS_SHOWN_MAX = 300;

interface Server {
  readonly url: URL;
  readonly pool: Pool;
}

/** An answer that is no success. `name` is what the server calls it. */
export class SqsCallError extends Error {
  constructor(
    override readonly name: string,
    message: string,
    readonly status: number,
  ) {
    super(message);
  }

  /** May the same call be answered otherwise a moment later? */
  get isPassing(): boolean {
    return this.status >= 500 || this.status === 429 || THROTTLED.test(this.name);
  }
}

/**
 * The calls that a consumer makes for every few messages, in the AWS JSON protocol: the SDK's own take about four times as
 * long of this process's time, which is half of all that a message takes. Credentials and region are the client's, the
 * signature is made by the SDK's signer, and what a message holds is held against the digest that comes with it.
 *
 * Calls reject with a {@link SqsCallError}, or as undici does, after three attempts when it may pass. None is cut off:
 * the next message would be lost to a receive that is, until its visibility runs out.
 */
export class SqsCalls {
  readonly #server: Promise<Server>;
  readonly #signer: SignatureV4;
  #isDestroyed = false;
  #offsetMs = 0;

  /** @param client With an endpoint of its own, or the server is at the host of the queue's URL, as AWS's are. */
  constructor(client: SQSClient, queueUrl: string, receiversMax: number) {
    const { credentials, region, sha256 } = client.config;
    this.#server = serverOf(client, queueUrl, receiversMax);
    // Whoever calls is told.
    this.#server.catch(() => undefined);
    this.#signer = new SignatureV4({ service: 'sqs', credentials, region, sha256, applyChecksum: false });
  }

  /** What time it is at the server, ms since 1970: by its latest answer, to the second; by our clock before the first. */
  now(): number {
    return Date.now() + this.#offsetMs;
  }

  async receive(request: ReceiveMessageRequest): Promise<Message[]> {
    const { Messages = [] } = await this.#call<ReceiveMessageResult>('ReceiveMessage', request);
    for (const { Body, MD5OfBody, MessageId } of Messages) {
      if (MD5OfBody === undefined || hash('md5', Body ?? '') === MD5OfBody) continue;
      throw new Error(`the body of the SQS message ${MessageId} is not what was sent: its digest differs`);
    }
    return Messages;
  }

  deleteBatch(request: DeleteMessageBatchRequest): Promise<DeleteMessageBatchResult> {
    return this.#call('DeleteMessageBatch', request);
  }

  changeVisibilityBatch(request: ChangeMessageVisibilityBatchRequest): Promise<ChangeMessageVisibilityBatchResult> {
    return this.#call('ChangeMessageVisibilityBatch', request);
  }

  /** Ends the connections, those in use as well. */
  async destroy(): Promise<void> {
    this.#isDestroyed = true;
    const server = await this.#server.catch(() => null);
    await server?.pool.destroy();
  }

  async #call<Result>(action: string, request: object): Promise<Result> {
    const body = JSON.stringify(request);
    for (let attempt = 1; ; attempt++) {
      try {
        return (await this.#send(action, body)) as Result;
      } catch (error) {
        const isPassing = error instanceof SqsCallError ? error.isPassing : true;
        if (!isPassing || attempt === ATTEMPTS_MAX || this.#isDestroyed) throw error;
        await sleep(backoffMs(attempt, RETRY_BASE_MS, RETRY_MAX_MS));
      }
    }
  }

  async #send(action: string, body: string): Promise<unknown> {
    const { pool, url } = await this.#server;
    const { protocol, hostname, host, pathname } = url;
    const { headers } = await this.#signer.sign(
      {
        method: 'POST',
        protocol,
        hostname,
        path: pathname,
        headers: { host, 'content-type': CONTENT_TYPE, 'x-amz-target': `AmazonSQS.${action}` },
        body,
      },
      { signingDate: new Date(this.now()) },
    );
    const signal = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
    const answer = await pool.request({ method: 'POST', path: pathname, headers, body, signal });
    // Of a server, and not of what stands between it and us and is in trouble.
    if (answer.statusCode === 200 || answer.statusCode === 403) this.#readClock(answer.headers.date);
    const text = await answer.body.text();
    if (answer.statusCode === 200) return JSON.parse(text || '{}');
    throw errorOf(action, answer.statusCode, text);
  }

  #readClock(date: string | string[] | undefined): void {
    const serverMs = Date.parse(String(date));
    if (Number.isFinite(serverMs)) this.#offsetMs = serverMs - Date.now();
  }
}

async function serverOf({ config }: SQSClient, queueUrl: string, receiversMax: number): Promise<Server> {
  const own = config.isCustomEndpoint ? await config.endpoint?.() : undefined;
  const port = own?.port === undefined ? '' : `:${own.port}`;
  const url = own ? new URL(own.path, `${own.protocol}//${own.hostname}${port}`) : new URL('/', queueUrl);
  const pool = new Pool(url.origin, {
    connections: receiversMax + CONNECTIONS_BESIDE,
    maxResponseSize: ANSWER_BYTES_MAX,
    pipelining: 1,
    connect: { timeout: CONNECT_TIMEOUT_MS },
    headersTimeout: REQUEST_TIMEOUT_MS,
    bodyTimeout: REQUEST_TIMEOUT_MS,
  });
  return { url, pool };
}

/** `{"__type": "com.amazonaws.sqs#QueueDoesNotExist", "message": …}`, or whatever stands between us and the server says. */
function errorOf(action: string, status: number, text: string): SqsCallError {
  let said: { __type?: unknown; message?: unknown; Message?: unknown } = {};
  try {
    said = JSON.parse(text) ?? {};
  } catch {
    // No JSON: its beginning is the message.
  }
  const name = typeof said.__type === 'string' ? said.__type.split('#').at(-1)! : 'UnknownError';
  const message = said.message ?? said.Message ?? text.slice(0, ANSWER_CHARACTERS_SHOWN_MAX);
  return new SqsCallError(name, `SQS answered ${status} to ${action}: ${name}: ${String(message)}`, status);
}

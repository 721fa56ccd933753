import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { LedgerError } from '../ledger/errors.ts';
import type { ClaimedWork, Log } from '../ledger/ports.ts';
import type { Outcome } from '../ledger/types.ts';
import { CARRY_ON_PATH, decodeWorks, encodeAnswer } from './wire.ts';

const BODY_BYTES_MAX = 16 << 20;
const REQUEST_MS_MAX = 30_000;
/** Well below the time after which silence counts as death. */
const PULSE_MS = 500;

export interface ClusterServerDeps {
  /** Whoever knows it is an instance of this service. */
  readonly token: string;
  readonly carryOn: (works: readonly ClaimedWork[]) => Promise<Outcome>[];
  /** Does this instance carry on what goes on in the book? */
  readonly accepts: (book: number) => boolean;
  /** Commands that others may have under way here. */
  readonly commandsMax: number;
  readonly log: Log;
}

/**
 * Carries commands on for other instances, at an address of its own. Each is answered as soon as its outcome is known, so
 * that a slow one keeps no other waiting.
 */
export class ClusterServer {
  readonly #server: Server;
  readonly #deps: ClusterServerDeps;
  readonly #token: Buffer;
  #underWay = 0;

  constructor(deps: ClusterServerDeps) {
    this.#deps = deps;
    this.#token = digest(deps.token);
    this.#server = createServer({ requestTimeout: REQUEST_MS_MAX }, (request, response) => {
      this.#serve(request, response).catch((error: unknown) => {
        deps.log.warn({ err: error }, 'a request of another instance failed');
        response.destroy();
      });
    });
    this.#server.keepAliveTimeout = 60_000;
  }

  async listen(host: string, port: number): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject).listen(port, host, () => resolve());
    });
    return (this.#server.address() as AddressInfo).port;
  }

  /** Ends what is under way within the time, and cuts off the rest. */
  async close(graceMs: number): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    const cutOff = setTimeout(() => this.#server.closeAllConnections(), graceMs);
    this.#server.closeIdleConnections();
    await closed;
    clearTimeout(cutOff);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const book = Number(new URL(request.url ?? '/', 'http://x').searchParams.get('book') ?? Number.NaN);
    const isAsked = request.method === 'POST' && request.url?.startsWith(`${CARRY_ON_PATH}?`) && Number.isInteger(book);
    if (!isAsked) return refuse(request, response, 404, 'there is nothing else here');
    if (!this.#isAuthentic(request)) return refuse(request, response, 401, 'the token is wrong');
    if (!this.#deps.accepts(book)) return refuse(request, response, 421, 'another instance leads this book');
    const text = await read(request);
    if (text === null) return refuse(request, response, 413, `the commands have more than ${BODY_BYTES_MAX} bytes`);
    let works: ClaimedWork[];
    try {
      works = decodeWorks(text);
    } catch (error) {
      return refuse(request, response, 400, error instanceof Error ? error.message : String(error));
    }
    if (this.#underWay + works.length > this.#deps.commandsMax) {
      return refuse(request, response, 503, 'too many commands of other instances are under way');
    }
    await this.#answer(works, response);
  }

  async #answer(works: readonly ClaimedWork[], response: ServerResponse): Promise<void> {
    this.#underWay += works.length;
    response.writeHead(200, { 'content-type': 'application/x-ndjson' });
    // They are taken: the sender sends its next ones.
    response.flushHeaders();
    // Whoever waits for a slow one can tell that from silence.
    const pulse = setInterval(() => response.write('\n'), PULSE_MS);
    try {
      const outcomes = this.#deps.carryOn(works);
      await Promise.all(
        outcomes.map(async (outcome, n) => {
          response.write(encodeAnswer(await outcome.then((placed) => ({ n, placed }), failure(n))));
        }),
      );
    } finally {
      clearInterval(pulse);
      this.#underWay -= works.length;
    }
    response.end();
  }

  #isAuthentic(request: IncomingMessage): boolean {
    const given = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '';
    return timingSafeEqual(digest(given), this.#token);
  }
}

function failure(n: number) {
  return (error: unknown) => {
    const code = error instanceof LedgerError ? error.code : ('outcome_unknown' as const);
    return { n, error: code, message: error instanceof Error ? error.message : String(error) };
  };
}

function refuse(request: IncomingMessage, response: ServerResponse, status: number, message: string): void {
  // What is still to come of the request is thrown away, so that the connection can be used again.
  request.resume();
  response.writeHead(status, { 'content-type': 'text/plain' }).end(`${message}\n`);
}

/** Null: it is too long. */
async function read(request: IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length <= BODY_BYTES_MAX) chunks.push(chunk);
    else chunks.length = 0;
  }
  return length > BODY_BYTES_MAX ? null : Buffer.concat(chunks).toString('utf8');
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

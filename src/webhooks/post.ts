import type { LookupFunction } from 'node:net';
import { Agent, request } from 'undici';
import { isPublic, literalAddress, publicAddresses, RefusedAddressError } from './addresses.ts';

const CONNECT_MS_MAX = 5_000;
/** From the beginning to the end of an attempt. */
const ATTEMPT_MS_MAX = 15_000;
/** Of an answer, which nobody reads. */
const ANSWER_BYTES_MAX = 64 * 1024;
const RESULT_CHARACTERS_MAX = 200;

export interface Posted {
  /** Of HTTP; null: there was no answer. */
  readonly status: number | null;
  /** For a person. Nothing of what the other side said. */
  readonly result: string;
}

export type Post = (url: string, body: string, headers: Readonly<Record<string, string>>) => Promise<Posted>;

/**
 * Posts to addresses that others named. What a name stands for is judged when the connection is made, and no other
 * address is connected to, so that it cannot have become another one meanwhile. Redirects are not followed. Several
 * endpoints may be at one host: who posts bounds how much is under way, so that none waits for another.
 */
export class Poster {
  readonly #agent: Agent;

  constructor(
    /** Also to private addresses. */
    readonly privateAddresses: boolean,
    readonly attemptMsMax = ATTEMPT_MS_MAX,
  ) {
    this.#agent = new Agent({
      maxResponseSize: ANSWER_BYTES_MAX,
      connect: { timeout: CONNECT_MS_MAX, ...(privateAddresses ? {} : { lookup: lookupPublic }) },
    });
  }

  /** Never rejects. */
  readonly post: Post = async (url, body, headers) => {
    try {
      const literal = literalAddress(new URL(url).hostname);
      if (literal !== null && !this.privateAddresses && !isPublic(literal)) {
        throw new RefusedAddressError(`${literal} is no public address`);
      }
      const signal = AbortSignal.timeout(this.attemptMsMax);
      const answer = await request(url, { dispatcher: this.#agent, method: 'POST', body, headers, signal });
      // So that the connection can be used again. Whatever comes of it: it was answered.
      await answer.body.dump({ limit: ANSWER_BYTES_MAX }).catch(() => undefined);
      return { status: answer.statusCode, result: `HTTP ${answer.statusCode}` };
    } catch (error) {
      return { status: null, result: this.#wordsOf(error).slice(0, RESULT_CHARACTERS_MAX) };
    }
  };

  close(): Promise<void> {
    return this.#agent.destroy();
  }

  #wordsOf(error: unknown): string {
    if (!(error instanceof Error)) return String(error);
    if (error.name === 'TimeoutError') return `no answer within ${this.attemptMsMax / 1000} s`;
    return error.message || ((error as { code?: string }).code ?? error.name);
  }
}

const lookupPublic: LookupFunction = (host, options, callback) => {
  publicAddresses(host).then(
    (found) => {
      if (options.all) callback(null, found);
      else callback(null, found[0]!.address, found[0]!.family);
    },
    (error: Error) => callback(error, []),
  );
};

import { Pool } from 'undici';
import { estimatedBytes } from '../ledger/command.ts';
import { LedgerError } from '../ledger/errors.ts';
import type { ClaimedWork } from '../ledger/ports.ts';
import type { Placed } from '../ledger/types.ts';
import { CARRY_ON_PATH, decodeAnswer, encodeWorks, errorOf } from './wire.ts';

/** Requests whose commands are not all at their end; a command over several books takes several hops. */
const REQUESTS_MAX = 64;
const BATCH_COMMANDS_MAX = 1_000;
const BATCH_BYTES_MAX = 4 << 20;
const CONNECT_MS_MAX = 500;
/** Without a byte of an answer for so long, the instance counts as frozen or cut off. */
const SILENCE_MS_MAX = 2_000;

/** It does not lead the book, or takes no more now: nothing was begun there. */
export class NotTakenError extends Error {
  override readonly name = 'NotTakenError';
}

interface Waiting {
  readonly work: ClaimedWork;
  readonly resolve: (placed: Placed) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Another instance, reached over connections that are kept. One request is sent at a time: what is handed over until it
 * was taken goes in the next. Its answers come as they are known, while others are sent.
 */
export class Peer {
  readonly #pool: Pool;
  readonly #waiting = new Map<number, Waiting[]>();
  #underWay = 0;
  #isSending = false;
  #isScheduled = false;

  constructor(
    /** `http://host:port`. */
    readonly origin: string,
    readonly token: string,
  ) {
    this.#pool = new Pool(origin, {
      connections: REQUESTS_MAX,
      pipelining: 1,
      connect: { timeout: CONNECT_MS_MAX },
      headersTimeout: SILENCE_MS_MAX,
      bodyTimeout: SILENCE_MS_MAX,
      keepAliveTimeout: 30_000,
    });
  }

  /** @throws NotTakenError; LedgerError with what was answered; any other error when it cannot be reached */
  carryOn(book: number, work: ClaimedWork): Promise<Placed> {
    return new Promise((resolve, reject) => {
      const ofBook = this.#waiting.get(book) ?? [];
      this.#waiting.set(book, ofBook);
      ofBook.push({ work, resolve, reject });
      this.#schedule();
    });
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      const [book] = this.#waiting.keys();
      if (book === undefined || this.#isSending || this.#underWay >= REQUESTS_MAX) return;
      void this.#send(book, this.#take(book));
    });
  }

  #take(book: number): Waiting[] {
    const waiting = this.#waiting.get(book)!;
    let bytes = 0;
    let count = 0;
    for (const { work } of waiting) {
      bytes += estimatedBytes(work.command);
      if (count === BATCH_COMMANDS_MAX || (count > 0 && bytes > BATCH_BYTES_MAX)) break;
      count++;
    }
    const taken = waiting.splice(0, count);
    if (waiting.length === 0) this.#waiting.delete(book);
    return taken;
  }

  async #send(book: number, batch: readonly Waiting[]): Promise<void> {
    this.#underWay++;
    this.#isSending = true;
    let isTaken = false;
    const open = new Set(batch);
    try {
      const { statusCode, body } = await this.#pool.request({
        method: 'POST',
        path: `${CARRY_ON_PATH}?book=${book}`,
        headers: { authorization: `Bearer ${this.token}`, 'content-type': 'application/json' },
        body: encodeWorks(batch.map(({ work }) => work)),
      });
      isTaken = true;
      this.#isSending = false;
      if (this.#waiting.size > 0) this.#schedule();
      if (statusCode !== 200) throw new NotTakenError(`${statusCode} ${(await body.text()).trim()}`);
      for await (const line of linesOf(body)) {
        if (line === '') continue;
        const answer = decodeAnswer(line);
        const waiting = batch[answer.n]!;
        open.delete(waiting);
        if ('placed' in answer) waiting.resolve(answer.placed);
        else waiting.reject(errorOf(answer));
      }
      throw new LedgerError('outcome_unknown', 'the answer of another instance ended too early');
    } catch (error) {
      for (const { reject } of open) reject(error);
      if (!isTaken) this.#isSending = false;
    } finally {
      this.#underWay--;
      if (this.#waiting.size > 0) this.#schedule();
    }
  }
}

async function* linesOf(body: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let rest: Buffer[] = [];
  for await (const chunk of body) {
    let from = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, from)) {
      yield Buffer.concat([...rest, chunk.subarray(from, end)]).toString('utf8');
      rest = [];
      from = end + 1;
    }
    if (from < chunk.length) rest.push(chunk.subarray(from));
  }
}

import { createHash, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SQSClient } from '@aws-sdk/client-sqs';
import { PaymentsError } from '../payments/types.ts';
import { BATCH_MAX } from './batcher.ts';
import { backwardFormsOf, type FoundLetter, type Letter, readBody, toLetter } from './letter.ts';
import { Pace } from './pace.ts';
import { Round, WHOLE_WAIT_SECONDS } from './round.ts';
import { Sender, type Sent } from './sender.ts';

const LOOK_MS_MAX = 60_000;
const RATE_PER_SECOND = 100;
/** A letter of this size may have been sent without attributes, and so not say what it was made of. */
const BARE_BYTES_MIN = 200 * 1024;
/** Calls in a row of which nothing came, after which it is given up for now. */
const FAILURES_MAX = 3;

export interface OfficeParts {
  /** Destroyed by the caller. */
  readonly client: SQSClient;
  readonly queueUrl: string;
  readonly deadLetterQueueUrl: string;
  /** In ms. */
  readonly clock?: () => number;
  readonly pause?: (ms: number) => Promise<unknown>;
  /** Is the whole queue in one place, so that a receive need not wait to be sure that it is empty? */
  readonly embedded?: boolean;
}

export type Choice = { readonly ids: readonly string[] } | { readonly reason: string } | { readonly all: true };

export interface Bounds {
  /** For how long it goes on: to look, a minute unless told; else no limit. */
  readonly msMax?: number | undefined;
  /** No more is begun from then on. */
  readonly signal?: AbortSignal | undefined;
  /** How many were looked at, or dealt with, by now. */
  readonly onProgress?: ((done: number) => void) | undefined;
}

export interface Look extends Bounds {
  /** As many at most. */
  readonly limit: number;
  readonly reason?: string | undefined;
}

export interface Order extends Bounds {
  readonly choice: Choice;
  /** As many at most; no limit unless told. */
  readonly limit?: number | undefined;
}

export interface RedriveOrder extends Order {
  /** Messages that are sent in a second at most, 1 or more; 100 unless told. */
  readonly ratePerSecond?: number | undefined;
}

export interface Outcome {
  /** Sent back, or deleted. */
  readonly done: number;
  /** Chosen, and still there as before. */
  readonly failed: number;
  /** Sent back and still there: when they are sent back again, their events are replayed. */
  readonly notDeleted: number;
  /** Ids that were asked for and not found. */
  readonly missing: readonly string[];
  /** It did not look through all: there may be more of what was chosen. */
  readonly more: boolean;
  /** Why it stopped on the way; null: it did not. */
  readonly problem: string | null;
}

/** The queues cannot be worked with. */
class QueueError extends Error {
  override readonly name = 'QueueError';
  readonly code = 'queue_unavailable';
}

/**
 * Works with what is in the dead-letter queue: shows it, sends it back to the queue that it came from, deletes it.
 *
 * While one looks, others see less: a letter that was handed out is hidden until it is given back, at the end. Of a FIFO
 * queue SQS hands out no more of a group while some of it is held: the letters behind the first ten of a group are not
 * seen until those are gone.
 */
export class DeadLetterOffice {
  readonly #parts: Required<OfficeParts>;
  readonly #sender: Sender;

  constructor({ clock = Date.now, pause = sleep, embedded = false, ...parts }: OfficeParts) {
    this.#parts = { ...parts, clock, pause, embedded };
    this.#sender = new Sender(parts.client, parts.queueUrl);
  }

  /** Oldest first. `more`: it stopped before it had looked through all. Rejects with {@link QueueError}. */
  async list({ limit, reason, ...bounds }: Look): Promise<{ letters: Letter[]; more: boolean }> {
    const round = this.#round(bounds, LOOK_MS_MAX);
    const isChosen = chosenBy(reason === undefined ? { all: true } : { reason });
    const letters: Letter[] = [];
    try {
      while (letters.length <= limit) {
        const found = await next(round);
        if (found === null) break;
        letters.push(...found.map(({ letter }) => letter).filter(isChosen));
        bounds.onProgress?.(round.held);
      }
    } finally {
      await round.end();
    }
    const more = !round.isWhole || letters.length > limit;
    return { letters: letters.slice(0, limit).sort(byTime), more };
  }

  /** With its body, decompressed. Rejects with {@link PaymentsError} `not_found`, and {@link QueueError}. */
  async show(id: string, bounds: Bounds = {}): Promise<{ letter: Letter; body: string; encoding: string | null }> {
    const round = this.#round(bounds, LOOK_MS_MAX);
    try {
      for (let found = await next(round); found !== null; found = await next(round)) {
        const one = found.find(({ letter }) => letter.id === id);
        bounds.onProgress?.(round.held);
        if (one) return { letter: one.letter, body: readBody(one.body, one.encoding), encoding: one.encoding };
      }
    } finally {
      await round.end();
    }
    const where = round.isWhole ? '' : ' among those that were looked at';
    throw new PaymentsError('not_found', `there is no dead letter ${id}${where}`);
  }

  /**
   * Sends letters back to the queue that they came from, and then deletes them. If it ends in between, a letter is there
   * and sent: its event has one effect all the same. One that comes back while this goes on is left where it is.
   *
   * Rejects with {@link QueueError} when nothing could be done.
   */
  redrive({ ratePerSecond = RATE_PER_SECOND, ...order }: RedriveOrder): Promise<Outcome> {
    const { clock, pause } = this.#parts;
    const pace = new Pace(ratePerSecond, clock, pause);
    const chunk = Math.max(1, Math.min(BATCH_MAX, Math.floor(ratePerSecond)));
    /** What was sent in this round: a letter of it is there because it failed again. */
    const sentBefore = new Set<string>();
    const isNew = (found: FoundLetter) => !sentBefore.has(found.letter.id) && !sentBefore.has(originOf(found));
    return this.#work(order, chunk, async (round, all, tally) => {
      const letters = all.filter(isNew);
      if (letters.length === 0) return;
      await pace.take(letters.length);
      const sent = await this.#sendBack(letters);
      const taken = letters.filter((_, i) => sent[i]!.taken);
      sent.forEach((one, i) => {
        if (one.taken) sentBefore.add(one.messageId).add(bareOriginOf(letters[i]!));
      });
      const gone = taken.length === 0 ? new Set() : await round.delete(taken.map(({ letter }) => letter.id));
      tally.done += taken.length;
      tally.failed += letters.length - taken.length;
      tally.notDeleted += taken.length - gone.size;
      const refusal = sent.find((one) => !one.taken);
      if (taken.length === 0 && refusal !== undefined) throw refusal.error;
      if (gone.size === 0) throw new Error('the dead-letter queue does not delete: check its permissions');
    });
  }

  /** Deletes letters for good. Rejects with {@link QueueError} when nothing could be done. */
  drop(order: Order): Promise<Outcome> {
    return this.#work(order, BATCH_MAX, async (round, letters, tally) => {
      const gone = await round.delete(letters.map(({ letter }) => letter.id));
      tally.done += gone.size;
      tally.failed += letters.length - gone.size;
      if (gone.size === 0) throw new Error('the dead-letter queue does not delete: check its permissions');
    });
  }

  /** `act` is given as many as a chunk at once. It throws when it could do nothing with any of them. */
  async #work(order: Order, chunk: number, act: Act): Promise<Outcome> {
    const { choice, limit = Number.POSITIVE_INFINITY, onProgress } = order;
    const round = this.#round(order, Number.POSITIVE_INFINITY);
    const isChosen = chosenBy(choice);
    const missing = new Set('ids' in choice ? choice.ids : []);
    const tally: Tally = { done: 0, failed: 0, notDeleted: 0 };
    const isFound = () => 'ids' in choice && missing.size === 0;
    let begun = 0;
    let hasLeft = false;
    let failures = 0;
    let problem: string | null = null;
    try {
      while (problem === null && begun < limit && !isFound()) {
        const found = await next(round);
        if (found === null) break;
        const chosen = found.filter(({ letter }) => isChosen(letter));
        for (const { letter } of chosen) missing.delete(letter.id);
        while (chosen.length > 0 && begun < limit && problem === null && !round.isOver) {
          const some = chosen.splice(0, Math.min(chunk, limit - begun));
          begun += some.length;
          await act(round, some, tally).then(
            () => {
              failures = 0;
            },
            (error: Error) => {
              if (++failures === FAILURES_MAX) problem = error.message;
            },
          );
          onProgress?.(tally.done);
        }
        hasLeft ||= chosen.length > 0;
      }
    } catch (error) {
      if (!(error instanceof QueueError) || tally.done === 0) throw error;
      problem = error.message;
    } finally {
      await round.end();
    }
    if (problem !== null && tally.done === 0) throw new QueueError(problem);
    const more = hasLeft || !(round.isWhole || isFound());
    return { ...tally, missing: [...missing], more, problem };
  }

  async #sendBack(letters: readonly FoundLetter[]): Promise<Sent[]> {
    const forms = letters.map((letter) => backwardFormsOf(letter, this.#sender.isFifo ? randomUUID() : null));
    const sent = await this.#sender.send(forms.map(([first]) => first!));
    for (let form = 1; form < forms[0]!.length; form++) {
      const unfit = sent.flatMap((one, i) => (one.taken || !one.isUnfit ? [] : [i]));
      if (unfit.length === 0) break;
      const again = await this.#sender.send(unfit.map((i) => forms[i]![form]!));
      unfit.forEach((i, n) => {
        sent[i] = again[n]!;
      });
    }
    return sent;
  }

  #round({ msMax, signal }: Bounds, msMaxElse: number): Round {
    const { client, deadLetterQueueUrl: queueUrl, clock, embedded } = this.#parts;
    const waitSeconds = embedded ? 0 : WHOLE_WAIT_SECONDS;
    return new Round({ client, queueUrl, clock, waitSeconds }, clock() + (msMax ?? msMaxElse), signal);
  }
}

type Tally = { done: number; failed: number; notDeleted: number };
type Act = (round: Round, letters: readonly FoundLetter[], tally: Tally) => Promise<void>;

async function next(round: Round): Promise<FoundLetter[] | null> {
  try {
    const messages = await round.next();
    return messages?.map(toLetter) ?? null;
  } catch (error) {
    const why = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    throw new QueueError(`the dead-letter queue cannot be read: ${why}`);
  }
}

/** What a letter was made of: the message; of one that does not say, the body. */
function originOf(found: FoundLetter): string {
  const { originalMessageId, size, id } = found.letter;
  return originalMessageId ?? (size < BARE_BYTES_MIN ? id : bareOriginOf(found));
}

function bareOriginOf({ body }: FoundLetter): string {
  return createHash('sha256').update(body).digest('base64');
}

function chosenBy(choice: Choice): (letter: Letter) => boolean {
  if ('all' in choice) return () => true;
  if ('reason' in choice) return ({ reason }) => reason === choice.reason;
  const ids = new Set(choice.ids);
  return ({ id }) => ids.has(id);
}

function byTime(a: Letter, b: Letter): number {
  return (a.sentAt?.getTime() ?? 0) - (b.sentAt?.getTime() ?? 0);
}

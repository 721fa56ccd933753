import type { BatchResultErrorEntry } from '@aws-sdk/client-sqs';
import { Batcher, type Refused } from './batcher.ts';
import type { SqsCalls } from './calls.ts';
import type { Health } from './health.ts';

interface VisibilityChange {
  readonly receipt: string;
  readonly seconds: number;
}

/** Deletes messages and changes their visibility, ten to a call. */
export class Receipts {
  readonly #calls: SqsCalls;
  readonly #queueUrl: string;
  readonly #health: Health;
  readonly #deletes: Batcher<string>;
  readonly #visibilities: Batcher<VisibilityChange>;

  /** `health` learns of calls that fail as a whole. */
  constructor(calls: SqsCalls, queueUrl: string, health: Health) {
    this.#calls = calls;
    this.#queueUrl = queueUrl;
    this.#health = health;
    this.#deletes = new Batcher((receipts) => this.#observe(this.#deleteBatch(receipts)));
    this.#visibilities = new Batcher((changes) => this.#observe(this.#changeBatch(changes)));
  }

  /** False when it was given up after a few attempts, or the receipt is stale: the message will come again. */
  delete(receipt: string): Promise<boolean> {
    return this.#deletes.add(receipt);
  }

  /** Hides the message for `seconds` from now on; 0 hands it out again at once. False as in {@link delete}. */
  hideFor(receipt: string, seconds: number): Promise<boolean> {
    return this.#visibilities.add({ receipt, seconds });
  }

  async #deleteBatch(receipts: readonly string[]): Promise<Refused[]> {
    const answer = await this.#calls.deleteBatch({
      QueueUrl: this.#queueUrl,
      Entries: receipts.map((receipt, index) => ({ Id: String(index), ReceiptHandle: receipt })),
    });
    return refusedOf(receipts.length, answer);
  }

  async #changeBatch(changes: readonly VisibilityChange[]): Promise<Refused[]> {
    const answer = await this.#calls.changeVisibilityBatch({
      QueueUrl: this.#queueUrl,
      Entries: changes.map(({ receipt, seconds }, index) => ({
        Id: String(index),
        ReceiptHandle: receipt,
        VisibilityTimeout: seconds,
      })),
    });
    return refusedOf(changes.length, answer);
  }

  async #observe<T>(call: Promise<T>): Promise<T> {
    try {
      const answer = await call;
      this.#health.up();
      return answer;
    } catch (error) {
      this.#health.down(error);
      throw error;
    }
  }
}

/** What is not said to be done is not. */
function refusedOf(
  count: number,
  { Successful = [], Failed = [] }: { Successful?: { Id?: string | undefined }[]; Failed?: BatchResultErrorEntry[] },
): Refused[] {
  const done = new Set(Successful.map(({ Id }) => Number(Id)));
  const refused = new Map(Failed.map(toRefused).map((one) => [one.index, one]));
  return Array.from({ length: count }, (_, index) => index)
    .filter((index) => !done.has(index))
    .map((index) => refused.get(index) ?? { index, final: false });
}

/** A fault of ours does not mend by itself, unless it is our speed that was at fault. */
function toRefused(entry: BatchResultErrorEntry): Refused {
  const throttled = /throttl/i.test(entry.Code ?? '');
  return {
    index: Number(entry.Id),
    final: entry.SenderFault === true && !throttled,
  };
}

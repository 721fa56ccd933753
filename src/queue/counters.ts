import type { DeadLetterReason } from './judge.ts';

/**
 * Every message received is, once settled, counted as exactly one of `posted`, `replayed`, `rejected`, a dead letter,
 * `failed` (left for redelivery), `returned` (given back unstarted, at a stop or behind one of its group that failed) or
 * `stopped` (left, and its group with it).
 */
const COUNTERS = [
  'received',
  'posted',
  'replayed',
  /** Decided by the ledger against what was asked for, e.g. insufficient funds; a final outcome. */
  'rejected',
  'failed',
  'returned',
  'stopped',
  'deleted',
  /** Settled but not deleted: it comes again and is replayed. */
  'deleteFailed',
] as const;
export type Counter = (typeof COUNTERS)[number];

export type ConsumerStats = Record<Counter, number> & {
  deadLettered: Partial<Record<DeadLetterReason, number>>;
  /** In hand now. */
  inFlight: number;
  /** Receives under way now. */
  receivers: number;
};

/** For metrics: called once per count. `reason` is given for, and only for, `deadLettered`. */
export type OnCount = (counter: Counter | 'deadLettered', reason?: DeadLetterReason) => void;

export class Counters {
  readonly #counts = Object.fromEntries(COUNTERS.map((name) => [name, 0])) as Record<Counter, number>;
  readonly #deadLettered: Partial<Record<DeadLetterReason, number>> = {};
  readonly #onCount: OnCount | undefined;

  constructor(onCount: OnCount | undefined) {
    this.#onCount = onCount;
  }

  count(counter: Counter): void {
    this.#counts[counter] += 1;
    this.#onCount?.(counter);
  }

  countDeadLetter(reason: DeadLetterReason): void {
    this.#deadLettered[reason] = (this.#deadLettered[reason] ?? 0) + 1;
    this.#onCount?.('deadLettered', reason);
  }

  snapshot(now: Pick<ConsumerStats, 'inFlight' | 'receivers'>): ConsumerStats {
    return { ...this.#counts, deadLettered: { ...this.#deadLettered }, ...now };
  }
}

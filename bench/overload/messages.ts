/** What the benchmark and the process that makes its load say to each other. */

export interface GeneratorPlan {
  readonly port: number;
  readonly apiKey: string;
  /** Calls that may be unanswered at once, each on a connection of its own. */
  readonly connectionsMax: number;
}

export interface ClosedLoop {
  readonly connections: number;
  readonly seconds: number;
}

export interface OpenLoop {
  readonly perSecond: number;
  readonly seconds: number;
}

/** What was counted in about a second. */
export interface Second {
  readonly seconds: number;
  readonly sent: number;
  readonly accepted: number;
  readonly refused: number;
  /** Of these. */
  readonly withoutRetryAfter: number;
  /** Any other answer, and none. */
  readonly others: number;
  /** Were due and not sent, as so many were unanswered. */
  readonly heldBack: number;
  /** How long after its time one was sent, at most. */
  readonly lateMs: number;
}

/** By the number of the payment, which is its idempotency key. */
export interface Acknowledged {
  /** The last eight hex digits of the id that was answered. */
  readonly tails: Uint32Array;
  readonly isAcknowledged: Uint8Array;
}

export interface Ended {
  readonly refusalMs: { readonly p50: number; readonly p99: number; readonly max: number };
  readonly acknowledged: Acknowledged;
  /** Examples of other answers. */
  readonly examples: readonly string[];
}

export type ToGenerator = { readonly closed: ClosedLoop } | { readonly open: OpenLoop } | 'end';
export type FromGenerator = { readonly accepted: number } | { readonly second: Second } | { readonly ended: Ended };

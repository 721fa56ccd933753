/** What the run and its generator processes say to each other. */
import type { CallColumns } from './call-log.ts';
import type { QueueTarget } from './queue-sender.ts';
import type { Example, OperationPiece, SecondPiece } from './recorder.ts';
import type { Scenario } from './scenario.ts';

export interface GeneratorPlan {
  /** Unique, and part of the names of all that the run makes. */
  readonly run: string;
  readonly scenario: Scenario;
  readonly seed: number;
  /** Which of how many generators this is. */
  readonly index: number;
  readonly of: number;
  readonly addresses: readonly string[];
  readonly apiKey: string;
  readonly queue: QueueTarget | null;
  /** Calls that may be unanswered at once. */
  readonly outstandingMax: number;
  /** Of one call. */
  readonly timeoutMs: number;
  /** How long journeys go on after the last arrival, at most. */
  readonly drainMs: number;
  /** How long calls are sent again of which nobody knows what became of them, at most. */
  readonly settleMs: number;
  /** Ms since the epoch, the same for all. */
  readonly startAt: number;
}

/** About once a second. */
export interface Piece {
  /** Seconds since the run began. */
  readonly at: number;
  readonly seconds: readonly SecondPiece[];
  /** That move money, and ended since. */
  readonly calls: CallColumns | null;
  readonly outstanding: number;
  /** CPU of the generator since the last piece, cores. */
  readonly cores: number;
  /** Share of time since the last piece in which its event loop was busy. */
  readonly busy: number;
}

export interface Journeys {
  readonly begun: number;
  readonly ended: number;
  /** A call of theirs did not go well, or there was no time left. */
  readonly brokenOff: number;
}

export interface Ended {
  readonly operations: readonly OperationPiece[];
  readonly examples: readonly Example[];
  readonly journeys: Journeys;
  /** Calls whose fate was not known and was found out afterwards. */
  readonly settled: number;
}

/** draining: no more arrivals. settling: sends again what is unknown, so many. */
export type FromGenerator =
  | { readonly ready: true }
  | { readonly piece: Piece }
  | { readonly phase: 'draining' | 'settling'; readonly left: number }
  | { readonly ended: Ended };

export type ToGenerator = { readonly begin: GeneratorPlan } | { readonly stop: true };

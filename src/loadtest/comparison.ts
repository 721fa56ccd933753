/** What a comparison of load tests answers, as it is kept in JSON. */
import type { Latencies } from './distribution.ts';
import type { Operation } from './scenario.ts';

export const FIGURES = ['per_second', 'p50', 'p90', 'p99', 'p999', 'error_share', 'operation_p99'] as const;
export type Figure = (typeof FIGURES)[number];

/** not_significant: chance alone may give as much. not_tested: there is too little to tell chance from more than that. */
export const CHANGE_VERDICTS = ['better', 'worse', 'not_significant', 'not_tested'] as const;
export type ChangeVerdict = (typeof CHANGE_VERDICTS)[number];

export interface Change {
  readonly figure: Figure;
  /** null: of all operations together. */
  readonly operation: Operation | null;
  /** Calls a second, milliseconds, or a share of all calls. */
  readonly before: number;
  readonly after: number;
  /** ratio: after over before. difference: after less before, where nothing may have been before. */
  readonly scale: 'ratio' | 'difference';
  readonly change: number;
  /** Of `change`, 95 per cent, not corrected for how many figures there are; null: not tested. */
  readonly interval: readonly [number, number] | null;
  readonly pValue: number | null;
  /** After Holm's correction for all figures of the comparison: what `verdict` goes by, at 0.05. */
  readonly adjustedPValue: number | null;
  readonly verdict: ChangeVerdict;
}

export interface Side {
  readonly name: string;
  readonly runs: readonly { readonly id: string; readonly label: string | null; readonly startedAt: string }[];
  /** Answered in the seconds that were compared, of all runs. */
  readonly calls: number;
  readonly latencies: Latencies;
}

export interface Comparison {
  readonly object: 'load_test_comparison';
  readonly version: 1;
  readonly scenario: string;
  readonly before: Side;
  readonly after: Side;
  /**
   * blocks: seconds were drawn again and again, in blocks; speaks about these runs only. runs: each run is one
   * observation; speaks about what runs of the two do.
   */
  readonly method: 'blocks' | 'runs';
  /** null: runs were the unit, or were too short. */
  readonly blockSeconds: number | null;
  /** Seconds at the beginning of runs that were left out, and those that were compared. */
  readonly warmupSeconds: number;
  readonly seconds: number;
  readonly resamples: number;
  readonly seed: number;
  readonly changes: readonly Change[];
  /** What makes the comparison doubtful. */
  readonly warnings: readonly string[];
  /** How to read it, and what it does not tell. */
  readonly notes: readonly string[];
}

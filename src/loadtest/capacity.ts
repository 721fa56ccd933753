/**
 * The highest rate at which a target is met: doubled until it is missed, then halved in between. One search says little
 * on a machine that does other things, too; several of them give an interval.
 */
import { merged, quantileMs } from './distribution.ts';
import type { RunResult } from './result.ts';
import { OUTCOMES } from './result.ts';
import { meanOf, median, studentReach, varianceOf } from './statistics.ts';

export interface CapacityTarget {
  readonly p99Ms: number;
  /** Of all calls; see `RunResult.errorShare`. */
  readonly errorShare: number;
}

export interface CapacityPlan {
  readonly target: CapacityTarget;
  /** Journeys a second to begin with. */
  readonly from: number;
  /** Not beyond this. */
  readonly max: number;
  /** A search ends when the rate is known to this share of it. */
  readonly tolerance: number;
  readonly searches: number;
  /** Seconds at the beginning of each run that do not count. */
  readonly warmUpSeconds: number;
}

/** One run at one rate. */
export interface Trial {
  /** Journeys a second. */
  readonly rate: number;
  /** Calls a second that were answered. */
  readonly callsPerSecond: number;
  readonly p99Ms: number;
  readonly errorShare: number;
  /** The generator was in time. */
  readonly valid: boolean;
  readonly met: boolean;
}

export interface Search {
  /** Journeys a second that met the target; 0: not even the lowest that was tried. */
  readonly rate: number;
  /** The calls a second of that run. */
  readonly callsPerSecond: number;
  /** generator: more could not be sent; there may be more capacity than this. */
  readonly endedBy: 'target' | 'generator' | 'max';
  readonly trials: readonly Trial[];
}

export interface CapacityResult {
  readonly object: 'capacity';
  readonly version: 1;
  readonly startedAt: string;
  readonly scenario: string;
  readonly plan: CapacityPlan;
  readonly machine: RunResult['machine'];
  /** Median of the searches, journeys a second. */
  readonly rate: number;
  /** Calls a second at that. */
  readonly callsPerSecond: number;
  /**
   * 95 per cent by Student's t: from where the mean of the rates that met the target may be, to where that of the lowest
   * rates that missed it may be. null: there was one search only.
   */
  readonly interval: { readonly low: number; readonly high: number } | null;
  readonly searches: readonly Search[];
  /** Whether every run found the ledger as it must be; those after one that did not were not made. */
  readonly ledgerOk: boolean;
  readonly faults: readonly string[];
}

const RATE_LOWEST = 1;
/** No search goes on for ever, whatever it is asked for. */
const TOLERANCE_MIN = 0.005;
/** Later searches begin around what those before have found. */
const NARROW = 1.5;

export class LedgerBroken extends Error {
  constructor(readonly faults: readonly string[]) {
    super('the ledger does not hold what was acknowledged');
  }
}

/** What of a run counts for the target: all but its beginning. */
export function trialOf(result: RunResult, rate: number, { target, warmUpSeconds }: CapacityPlan): Trial {
  const from = Math.ceil(warmUpSeconds);
  const end = Math.floor(result.seconds);
  if (from >= end) throw new RangeError(`A run of ${result.seconds} s has nothing left after ${from} s of warm-up.`);
  const seconds = result.timeline.filter(({ at }) => at >= from && at < end);
  let [all, answered] = [0, 0];
  for (const { counts } of seconds) {
    for (const outcome of OUTCOMES) all += counts[outcome];
    answered += counts.ok + counts.declined;
  }
  const p99Ms = quantileMs(merged(seconds.map(({ latencies }) => latencies)), 0.99) ?? 0;
  const errorShare = all === 0 ? 1 : (all - answered) / all;
  return {
    rate,
    callsPerSecond: answered / (end - from),
    p99Ms,
    errorShare,
    valid: result.validity.valid,
    met: p99Ms <= target.p99Ms && errorShare <= target.errorShare,
  };
}

/** `attempt` runs the scenario at a rate. @throws LedgerBroken as soon as money is lost or doubled. */
export async function search(
  plan: CapacityPlan,
  attempt: (rate: number) => Promise<Trial>,
  around: number | null = null,
): Promise<Search> {
  const trials: Trial[] = [];
  const attemptAt = async (rate: number) => {
    const trial = await attempt(rate);
    trials.push(trial);
    return trial;
  };
  let met: Trial | null = null;
  const end = (endedBy: Search['endedBy']): Search => {
    return { rate: met?.rate ?? 0, callsPerSecond: met?.callsPerSecond ?? 0, endedBy, trials };
  };
  const tolerance = Math.max(TOLERANCE_MIN, plan.tolerance);
  let missed: number | null = null;
  let rate = Math.min(plan.max, around === null ? plan.from : around / NARROW);
  for (;;) {
    const trial = await attemptAt(rate);
    if (trial.met) {
      met = trial;
      if (rate >= plan.max) return end('max');
    } else {
      // A generator that is late makes latencies look worse than they are.
      if (!trial.valid) return end('generator');
      missed = rate;
    }
    const low: number = met?.rate ?? 0;
    if (missed === null) {
      rate = Math.min(plan.max, low * (around === null ? 2 : NARROW));
      continue;
    }
    if (missed - low <= tolerance * missed || missed <= RATE_LOWEST) return end('target');
    rate = low === 0 ? missed / 2 : (low + missed) / 2;
  }
}

/** Several searches, and what they say together. */
export async function findCapacity(
  plan: CapacityPlan,
  run: (rate: number) => Promise<RunResult>,
): Promise<Pick<CapacityResult, 'rate' | 'callsPerSecond' | 'interval' | 'searches' | 'ledgerOk' | 'faults'>> {
  const searches: Search[] = [];
  const attempt = async (rate: number) => {
    const result = await run(rate);
    if (!result.ledger.ok) throw new LedgerBroken(result.ledger.faults);
    return trialOf(result, rate, plan);
  };
  let broken: LedgerBroken | null = null;
  try {
    for (let index = 0; index < plan.searches; index++) {
      searches.push(await search(plan, attempt, searches.at(-1)?.rate || null));
    }
  } catch (error) {
    if (!(error instanceof LedgerBroken)) throw error;
    broken = error;
  }
  const rates = searches.map(({ rate }) => rate);
  return {
    rate: middleOf(rates),
    callsPerSecond: middleOf(searches.map(({ callsPerSecond }) => callsPerSecond)),
    interval: intervalOfSearches(searches),
    searches,
    ledgerOk: broken === null,
    faults: broken?.faults ?? [],
  };
}

/** The lowest rate above the one found that missed the target; where none did, the one found. */
function missedBy({ rate, trials }: Search): number {
  const missed = trials.filter((trial) => !trial.met && trial.rate > rate).map((trial) => trial.rate);
  return missed.length === 0 ? rate : Math.min(...missed);
}

/**
 * From the lower bound of the rates that met the target to the upper one of those that missed it: between them nothing was
 * tried. null: there was one search only.
 */
export function intervalOfSearches(searches: readonly Search[]): CapacityResult['interval'] {
  const [low, high] = [intervalOf(searches.map(({ rate }) => rate)), intervalOf(searches.map(missedBy))];
  return low && high && { low: low.low, high: high.high };
}

/** null: one value says nothing about the next. */
export function intervalOf(values: readonly number[]): CapacityResult['interval'] {
  const count = values.length;
  if (count < 2) return null;
  const mean = meanOf(values);
  const half = studentReach(count - 1) * Math.sqrt(varianceOf(values) / count);
  return { low: Math.max(0, mean - half), high: mean + half };
}

/** 0: no search came to its end. */
function middleOf(values: readonly number[]): number {
  return values.length === 0 ? 0 : median(values);
}

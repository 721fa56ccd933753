/** The moving-block bootstrap: how far figures of a run might have been off, from how its seconds differ. */
import { denseQuantileMs } from './distribution.ts';
import { seeded } from './random.ts';
import type { RunResult, SecondResult } from './result.ts';
import { blockLength, type Estimate, varianceOf } from './statistics.ts';

/** Blocks are no shorter, whatever neighbours look like, and there are at least so many where it can be had. */
const BLOCK_MIN = 5;
const BLOCKS_WANTED = 8;
/** The rule's length falls short where seconds are very much alike, as simulated pairs of the same show. */
const BLOCK_MARGIN = 1.5;
/** Fewer do not tell how far they are off. */
const BLOCKS_MIN = 4;
/** Longer runs are looked at in slots of several seconds. */
const SLOTS_MAX = 3_600;
/** Of a percentile there must be at least so many calls above. */
const BEYOND_MIN = 10;

const QUANTILES = { p50: 0.5, p90: 0.9, p99: 0.99, p999: 0.999 } as const;
export const SUM_FIGURES = ['per_second', 'p50', 'p90', 'p99', 'p999', 'error_share'] as const;
type SumFigure = (typeof SUM_FIGURES)[number];
/** null: it cannot be told. */
export type Figures = Readonly<Record<SumFigure, number | null>>;

/** Seconds of one run or several, the same seconds of each added up, as numbers in rows of the same width. */
interface Slots {
  readonly count: number;
  /** Seconds of a slot, of all runs. */
  readonly seconds: number;
  /** Sums of all slots before, going round twice so that any block is the difference of two rows. */
  readonly sums: Float64Array;
  readonly rows: readonly Float64Array[];
}

/** What a row has before its buckets. */
const HEAD = 3;
const ANSWERED = 0;
const ERRORS = 1;
const CALLS = 2;

/** Which seconds are compared: from `from` until before `to`. */
export interface Window {
  readonly from: number;
  readonly to: number;
}

interface Buckets {
  readonly first: number;
  readonly count: number;
}

function bucketsOf(runs: readonly RunResult[]): Buckets {
  let [first, last] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const { timeline } of runs) {
    for (const { latencies } of timeline) {
      for (const [bucket] of latencies) {
        first = Math.min(first, bucket);
        last = Math.max(last, bucket);
      }
    }
  }
  return last < first ? { first: 0, count: 1 } : { first, count: last - first + 1 };
}

function slotsOf(runs: readonly RunResult[], { from, to }: Window, buckets: Buckets): Slots {
  const width = Math.max(1, Math.ceil((to - from) / SLOTS_MAX));
  const count = Math.max(0, Math.floor((to - from) / width));
  const rows = Array.from({ length: count }, () => new Float64Array(HEAD + buckets.count));
  for (const { timeline } of runs) {
    for (const second of timeline) {
      const row = second.at < from ? undefined : rows[Math.floor((second.at - from) / width)];
      if (row !== undefined) addTo(row, second, buckets.first);
    }
  }
  return { count, seconds: width * runs.length, sums: runningSums(rows, HEAD + buckets.count), rows };
}

function addTo(row: Float64Array, { counts, latencies }: SecondResult, first: number): void {
  const answered = counts.ok + counts.declined;
  const errors = counts.refused + counts.failed + counts.unknown + counts.held_back;
  row[ANSWERED]! += answered;
  row[ERRORS]! += errors;
  row[CALLS]! += answered + errors;
  for (const [bucket, calls] of latencies) row[HEAD + bucket - first]! += calls;
}

function runningSums(rows: readonly Float64Array[], width: number): Float64Array {
  const sums = new Float64Array((2 * rows.length + 1) * width);
  for (let at = 0; at < 2 * rows.length; at++) {
    const row = rows[at % rows.length]!;
    for (let column = 0; column < width; column++) {
      sums[(at + 1) * width + column] = sums[at * width + column]! + row[column]!;
    }
  }
  return sums;
}

function addBlock(into: Float64Array, { sums }: Slots, start: number, length: number): void {
  const width = into.length;
  const [low, high] = [start * width, (start + length) * width];
  for (let column = 0; column < width; column++) into[column]! += sums[high + column]! - sums[low + column]!;
}

function figuresOf(sum: Float64Array, { count, seconds }: Slots, first: number): Figures {
  const latencies = sum.subarray(HEAD);
  const calls = sum[CALLS]!;
  const quantile = (q: number) => denseQuantileMs(latencies, first, q);
  return {
    per_second: count === 0 ? null : sum[ANSWERED]! / (count * seconds),
    p50: quantile(QUANTILES.p50),
    p90: quantile(QUANTILES.p90),
    p99: quantile(QUANTILES.p99),
    p999: quantile(QUANTILES.p999),
    error_share: calls === 0 ? null : sum[ERRORS]! / calls,
  };
}

function totalOf(slots: Slots, buckets: Buckets): Float64Array {
  const total = new Float64Array(HEAD + buckets.count);
  addBlock(total, slots, 0, slots.count);
  return total;
}

/** Of the seconds in the window, of all runs together. A percentile that hardly anything lies above cannot be told. */
export function figuresWithin(runs: readonly RunResult[], window: Window): Figures {
  const buckets = bucketsOf(runs);
  const slots = slotsOf(runs, window, buckets);
  const total = totalOf(slots, buckets);
  const answered = total.subarray(HEAD).reduce((sum, calls) => sum + calls, 0);
  const figures = figuresOf(total, slots, buckets.first);
  const told = Object.entries(QUANTILES).map(([name, q]) => {
    return [name, answered * (1 - q) >= BEYOND_MIN ? figures[name as SumFigure] : null];
  });
  return { ...figures, ...Object.fromEntries(told) };
}

export interface Bootstrap {
  readonly blockSeconds: number;
  /** Of the logarithm of the ratio; of the difference, for error_share. Figures that cannot be told are missing. */
  readonly estimates: ReadonlyMap<SumFigure, Estimate>;
}

/**
 * Draws the same blocks of seconds of both sides: what the load itself changes from second to second, as a ramp does,
 * is the same on both and is no chance. null: there are too few seconds.
 */
export function bootstrap(
  before: readonly RunResult[],
  after: readonly RunResult[],
  window: Window,
  { seed, resamples }: { readonly seed: number; readonly resamples: number },
): Bootstrap | null {
  const buckets = bucketsOf([...before, ...after]);
  const sides = [slotsOf(before, window, buckets), slotsOf(after, window, buckets)] as const;
  const { count } = sides[0];
  if (count < BLOCK_MIN * BLOCKS_MIN) return null;
  const length = blockOf(sides, buckets);
  const drawn = draw(sides, buckets, length, resamples, seeded(seed));
  const [a, b] = sides.map((slots) => figuresOf(totalOf(slots, buckets), slots, buckets.first)) as [Figures, Figures];
  const blocks = count / length;
  const estimates = new Map<SumFigure, Estimate>();
  for (const figure of SUM_FIGURES) {
    const value = differenceOf(figure, a[figure], b[figure]);
    const values = drawn.get(figure)!;
    if (value === null || values.length < resamples / 2) continue;
    // Of few blocks the spread comes out too small, as that of a sample does without n - 1.
    const error = Math.sqrt(varianceOf(values) * (blocks / (blocks - 1)));
    estimates.set(figure, { value, error, freedom: blocks - 1 });
  }
  return { blockSeconds: (length * sides[0].seconds) / before.length, estimates };
}

function draw(
  sides: readonly [Slots, Slots],
  buckets: Buckets,
  length: number,
  resamples: number,
  random: () => number,
): Map<SumFigure, number[]> {
  const { count } = sides[0];
  const drawn = new Map(SUM_FIGURES.map((figure) => [figure, [] as number[]]));
  const sums = sides.map(() => new Float64Array(HEAD + buckets.count));
  for (let sample = 0; sample < resamples; sample++) {
    for (const sum of sums) sum.fill(0);
    for (let filled = 0; filled < count; filled += length) {
      const start = Math.floor(random() * count);
      sides.forEach((slots, side) => {
        addBlock(sums[side]!, slots, start, Math.min(length, count - filled));
      });
    }
    const [a, b] = sums.map((sum, side) => figuresOf(sum, sides[side]!, buckets.first)) as [Figures, Figures];
    for (const figure of SUM_FIGURES) {
      const value = differenceOf(figure, a[figure], b[figure]);
      if (value !== null) drawn.get(figure)!.push(value);
    }
  }
  return drawn;
}

/** Of logarithms, so that twice and half are equally far; of shares, which may be 0, as they are. */
export function differenceOf(figure: string, before: number | null, after: number | null): number | null {
  if (before === null || after === null) return null;
  if (figure === 'error_share') return after - before;
  return before > 0 && after > 0 ? Math.log(after / before) : null;
}

/** As long as the likeness of neighbours asks for, but short enough that there are several. Slots. */
function blockOf(sides: readonly [Slots, Slots], buckets: Buckets): number {
  const [a, b] = [influences(sides[0], buckets), influences(sides[1], buckets)];
  const wanted = a.map((series, which) => blockLength(series.map((value, at) => b[which]![at]! - value)));
  const most = Math.max(BLOCK_MIN, Math.floor(sides[0].count / BLOCKS_WANTED));
  return Math.min(most, Math.max(BLOCK_MIN, Math.ceil(BLOCK_MARGIN * Math.max(...wanted))));
}

/** How much each slot pulls at throughput, median and p99. */
function influences(slots: Slots, buckets: Buckets): number[][] {
  const total = totalOf(slots, buckets);
  const answered = Math.max(1, total[ANSWERED]!);
  const latencies = Math.max(
    1,
    total.subarray(HEAD).reduce((sum, calls) => sum + calls, 0),
  );
  const above = (q: number) => {
    const cut = cutAt(total, q * latencies);
    return slots.rows.map((row) => {
      let [all, high] = [0, 0];
      for (let column = HEAD; column < row.length; column++) {
        all += row[column]!;
        if (column > cut) high += row[column]!;
      }
      return (high - (1 - q) * all) / latencies;
    });
  };
  return [slots.rows.map((row) => row[ANSWERED]! / answered), above(QUANTILES.p50), above(QUANTILES.p99)];
}

/** The column below and in which so many calls lie. */
function cutAt(total: Float64Array, rank: number): number {
  let below = 0;
  for (let column = HEAD; column < total.length; column++) {
    below += total[column]!;
    if (below >= rank) return column;
  }
  return total.length - 1;
}

/** Seconds of a run put together, so that a picture of hours has no more in it than can be seen. */
import { type Latencies, merged, quantileMs } from './distribution.ts';
import { type Counts, OUTCOMES, type SecondResult } from './result.ts';

const WIDTHS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600];
const SLOTS_MAX = 240;

export interface Slot {
  /** Seconds since the run began, and how many there are. */
  readonly at: number;
  readonly seconds: number;
  readonly arrivals: number;
  readonly counts: Counts;
  readonly latencies: Latencies;
  readonly latencyMs: SecondResult['latencyMs'];
  /** The highest of its seconds. */
  readonly lagMs: SecondResult['lagMs'];
  readonly outstanding: number;
}

const NONE = Object.fromEntries(OUTCOMES.map((outcome) => [outcome, 0])) as Counts;

/** Seconds of which nothing is known are there as such of which nothing happened. */
export function slotsOf(timeline: readonly SecondResult[]): readonly Slot[] {
  const end = timeline.reduce((most, { at }) => Math.max(most, at + 1), 0);
  const width = slotWidth(end);
  const members = Array.from({ length: Math.ceil(end / width) }, (): SecondResult[] => []);
  for (const second of timeline) members[Math.floor(second.at / width)]?.push(second);
  return members.map((seconds, index) => slotOf(index * width, Math.min(width, end - index * width), seconds));
}

/** Seconds of a slot, so that all of a run fit. */
function slotWidth(seconds: number): number {
  return WIDTHS.find((width) => seconds / width <= SLOTS_MAX) ?? Math.ceil(seconds / SLOTS_MAX);
}

function slotOf(at: number, seconds: number, members: readonly SecondResult[]): Slot {
  const highest = (of: (second: SecondResult) => number) =>
    members.reduce((most, second) => Math.max(most, of(second)), 0);
  const latencies = merged(members.map((second) => second.latencies));
  return {
    at,
    seconds,
    arrivals: members.reduce((sum, { arrivals }) => sum + arrivals, 0),
    counts: members.reduce((sum, { counts }) => added(sum, counts), NONE),
    latencies,
    latencyMs: percentilesOf(members, latencies),
    lagMs: {
      p50: highest(({ lagMs }) => lagMs.p50),
      p99: highest(({ lagMs }) => lagMs.p99),
      max: highest(({ lagMs }) => lagMs.max),
    },
    outstanding: highest(({ outstanding }) => outstanding),
  };
}

function percentilesOf(members: readonly SecondResult[], latencies: Latencies): SecondResult['latencyMs'] {
  const [only] = members;
  if (members.length === 1 && only !== undefined) return only.latencyMs;
  const max = members.reduce((most, { latencyMs }) => Math.max(most, latencyMs?.max ?? 0), 0);
  const p50 = quantileMs(latencies, 0.5);
  if (p50 === null) return null;
  const at = (q: number) => Math.min(max, quantileMs(latencies, q)!);
  return { p50, p90: at(0.9), p99: at(0.99), p999: at(0.999), max };
}

function added(a: Counts, b: Counts): Counts {
  return Object.fromEntries(OUTCOMES.map((outcome) => [outcome, a[outcome] + b[outcome]])) as Counts;
}

/** As many points as there are slots of so many seconds: each the mean of those in it. */
export function thinned(points: readonly (readonly [at: number, value: number])[]): (readonly [number, number])[] {
  const end = points.reduce((most, [at]) => Math.max(most, at), 0);
  const width = slotWidth(end + 1);
  if (width === 1 && points.length <= SLOTS_MAX) return [...points];
  const sums = new Map<number, [at: number, value: number, count: number]>();
  for (const [at, value] of points) {
    const slot = Math.floor(at / width);
    const [atSum, valueSum, count] = sums.get(slot) ?? [0, 0, 0];
    sums.set(slot, [atSum + at, valueSum + value, count + 1]);
  }
  return [...sums.values()].map(([at, value, count]) => [at / count, value / count] as const);
}

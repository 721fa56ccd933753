/** Random values that are the same for the same seed. */
import type { Step } from './scenario.ts';

const THINK_MEANS_MAX = 5;

/** From 0, and below 1. */
export type Random = () => number;

/** Mulberry32: 32 bits of state are plenty for values that nobody must guess. */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Chooses an index in proportion to its weight. */
export function chooser(weights: readonly number[]): (random: Random) => number {
  let sum = 0;
  const sums = weights.map((weight) => {
    sum += weight;
    return sum;
  });
  return (random) => firstAbove(sums, random() * sum);
}

/** Zipf's law: the k-th in proportion to k to the power of minus `exponent`. */
export function zipfWeights(count: number, exponent: number): number[] {
  return Array.from({ length: count }, (_, index) => (index + 1) ** -exponent);
}

function firstAbove(sums: readonly number[], value: number): number {
  let low = 0;
  let high = sums.length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sums[middle]! > value) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** With mean 1. */
export function exponential(random: Random): number {
  return -Math.log(1 - random());
}

/** Both ends included. */
export function drawAmount({ from, to }: { readonly from: number; readonly to: number }, random: Random): number {
  return from + Math.floor(random() * (to - from + 1));
}

/** Seconds. */
export function drawThink(step: Extract<Step, { do: 'think' }>, random: Random): number {
  return step.seconds * Math.min(THINK_MEANS_MAX, exponential(random));
}

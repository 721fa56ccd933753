/** Values that are drawn beforehand, for tools that cannot draw them. */
import type { RandomShare } from './random.ts';
import type { Step } from './scenario.ts';

const THINK_MEANS_MAX = 5;

/** Chooses an index in proportion to its weight. */
export function chooser(weights: readonly number[]): (random: RandomShare) => number {
  let sum = 0;
  const sums = weights.map((weight) => {
    sum += weight;
    return sum;
  });
  return (random) => firstAbove(sums, random() * sum);
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
export function exponential(random: RandomShare): number {
  return -Math.log(1 - random());
}

/** Both ends included. */
export function drawAmount({ from, to }: { readonly from: number; readonly to: number }, random: RandomShare): number {
  return from + Math.floor(random() * (to - from + 1));
}

/** Seconds. */
export function drawThink(step: Extract<Step, { do: 'think' }>, random: RandomShare): number {
  return step.seconds * Math.min(THINK_MEANS_MAX, exponential(random));
}

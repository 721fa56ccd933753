import type { Random } from './random.ts';

/** Chooses one of several in proportion to weights, in constant time: Walker's alias method as Vose has it. */
export class WeightedChoice {
  readonly #share: Float64Array;
  readonly #alias: Uint32Array;

  constructor(weights: readonly number[]) {
    const count = weights.length;
    const sum = weights.reduce((total, weight) => total + weight, 0);
    if (!(sum > 0 && Number.isFinite(sum))) throw new RangeError('weights must sum to a number above 0');
    const scaled = weights.map((weight) => (weight * count) / sum);
    this.#share = new Float64Array(count).fill(1);
    this.#alias = Uint32Array.from({ length: count }, (_, index) => index);
    const small: number[] = [];
    const large: number[] = [];
    for (const [index, share] of scaled.entries()) (share < 1 ? small : large).push(index);
    while (small.length > 0 && large.length > 0) {
      const [less, more] = [small.pop()!, large.pop()!];
      this.#share[less] = scaled[less]!;
      this.#alias[less] = more;
      scaled[more] = scaled[more]! + scaled[less]! - 1;
      (scaled[more]! < 1 ? small : large).push(more);
    }
  }

  index(random: Random): number {
    const column = random.below(this.#share.length);
    return random.share() < this.#share[column]! ? column : this.#alias[column]!;
  }
}

/** Weights by Zipf's law: the first is the most popular. */
export function zipfWeights(count: number, skew: number): number[] {
  return Array.from({ length: count }, (_, rank) => (rank + 1) ** -skew);
}

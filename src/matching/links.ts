/** Lists by a key, each in ascending order: one chain a key through one column. */
export class Links {
  readonly #first: Int32Array;
  readonly #next: Int32Array;

  constructor(keys: number, size: number, keyOf: (one: number) => number) {
    this.#first = new Int32Array(keys).fill(-1);
    this.#next = new Int32Array(size);
    for (let one = size - 1; one >= 0; one--) {
      const key = keyOf(one);
      if (key < 0) continue;
      this.#next[one] = this.#first[key]!;
      this.#first[key] = one;
    }
  }

  of(key: number): number[] {
    const all: number[] = [];
    for (let one = this.#first[key] ?? -1; one >= 0; one = this.#next[one]!) all.push(one);
    return all;
  }

  sole(key: number): number {
    const first = this.#first[key] ?? -1;
    return first >= 0 && this.#next[first]! >= 0 ? -2 : first;
  }
}

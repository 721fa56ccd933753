import { roomFor } from './columns.ts';
import type { Names } from './names.ts';
import { NormalText, normalized } from './normal-text.ts';

const BASE = 0x01000193;
const SIZE_AT_FIRST = 1024;
const SEEN_BITS = 2 ** 22;
const SEEN_MASK = SEEN_BITS / 32 - 1;
const NONE: readonly number[] = [];
/** Different lengths that are looked for: each text is gone through once for each. */
const LENGTHS_MAX = 48;
const MENTIONS_MAX = 64;

/**
 * Finds which of many references a text bears anywhere, by the hashes of all its stretches that are as long as one of
 * them (Rabin and Karp). References that are shorter than `lengthMin` once normalised, or hold no digit, are left out:
 * they would be found everywhere.
 */
export class Mentions {
  readonly #text = new NormalText();
  readonly #sums = new Uint32Array(4_097);
  /** Numbers and 1, at the place of their hash; open addressing. */
  #places = new Int32Array(SIZE_AT_FIRST);
  /** One bit for each hash: nearly all stretches of a text are told from it, which is small enough to be at hand. */
  readonly #seen = new Uint32Array(SEEN_BITS / 32);
  #hashes = new Uint32Array(SIZE_AT_FIRST);
  #names = new Int32Array(SIZE_AT_FIRST);
  #size = 0;
  /** Each length, and the factor by which what stands before so many characters weighs. */
  readonly #lengths = new Map<number, number>();

  constructor(
    readonly names: Names,
    readonly lengthMin: number,
  ) {}

  add(name: number): void {
    const normal = String(this.#text.set(this.names.get(name)));
    if (normal.length < this.lengthMin || !/\d/.test(normal)) return;
    if (!this.#lengths.has(normal.length) && this.#lengths.size === LENGTHS_MAX) return;
    this.#lengths.set(normal.length, power(normal.length));
    let hash = 0;
    for (let i = 0; i < normal.length; i++) hash = step(hash, normal.charCodeAt(i));
    const at = this.#size++;
    this.#names = roomFor(this.#names, at);
    this.#hashes = roomFor(this.#hashes, at);
    this.#names[at] = name;
    this.#hashes[at] = hash >>> 0;
    this.#seen[(mixed(hash) >>> 5) & SEEN_MASK]! |= 1 << (mixed(hash) & 31);
    if (2 * this.#size > this.#places.length) this.#grow();
    else this.#put(at);
  }

  /** The names that a text bears, the longest first; of those within a longer one, only that. */
  in(text: string): readonly number[] {
    if (this.#size === 0) return NONE;
    const { length, codes } = this.#text.set(text);
    const sums = this.#sums;
    const seen = this.#seen;
    sums[0] = 0;
    for (let i = 0; i < length; i++) sums[i + 1] = step(sums[i]!, codes[i]!);
    const found: { name: number; from: number; to: number }[] = [];
    for (const [size, factor] of this.#lengths) {
      for (let from = 0; from + size <= length; from++) {
        const hash = (sums[from + size]! - Math.imul(sums[from]!, factor)) >>> 0;
        const bits = mixed(hash);
        if ((seen[(bits >>> 5) & SEEN_MASK]! & (1 << (bits & 31))) !== 0) this.#findAt(hash, from, size, found);
      }
    }
    if (found.length === 0) return NONE;
    if (found.length === 1) return [found[0]!.name];
    found.sort((a, b) => b.to - b.from - (a.to - a.from) || a.from - b.from || this.#compare(a.name, b.name));
    const names = new Set<number>();
    const taken: { from: number; to: number }[] = [];
    for (const { name, from, to } of found) {
      if (taken.some((other) => other.from <= from && to <= other.to && other.to - other.from > to - from)) continue;
      taken.push({ from, to });
      if (names.size < MENTIONS_MAX) names.add(name);
    }
    return [...names];
  }

  #findAt(hash: number, from: number, size: number, found: { name: number; from: number; to: number }[]): void {
    const mask = this.#places.length - 1;
    for (let place = mixed(hash) & mask; this.#places[place] !== 0; place = (place + 1) & mask) {
      const at = this.#places[place]! - 1;
      if (this.#hashes[at] !== hash || !this.#isAt(at, from, size)) continue;
      found.push({ name: this.#names[at]!, from, to: from + size });
    }
  }

  #isAt(at: number, from: number, size: number): boolean {
    const normal = normalized(this.names.get(this.#names[at]!));
    if (normal.length !== size) return false;
    for (let i = 0; i < size; i++) if (normal.charCodeAt(i) !== this.#text.codes[from + i]) return false;
    return this.#text.isBoundary(from) && this.#text.isBoundary(from + size);
  }

  /** By their texts: numbers depend on the order in which they were read. */
  #compare(a: number, b: number): number {
    return this.names.get(a) < this.names.get(b) ? -1 : 1;
  }

  #put(at: number): void {
    const mask = this.#places.length - 1;
    let place = mixed(this.#hashes[at]!) & mask;
    while (this.#places[place] !== 0) place = (place + 1) & mask;
    this.#places[place] = at + 1;
  }

  #grow(): void {
    this.#places = new Int32Array(2 * this.#places.length);
    for (let at = 0; at < this.#size; at++) this.#put(at);
  }
}

function step(hash: number, code: number): number {
  return (Math.imul(hash, BASE) + code + 1) | 0;
}

function power(exponent: number): number {
  let factor = 1;
  for (let i = 0; i < exponent; i++) factor = Math.imul(factor, BASE);
  return factor;
}

function mixed(hash: number): number {
  const once = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b);
  return (once ^ (once >>> 13)) >>> 0;
}

import { widened } from '../ledger/columns.ts';

const ROWS_AT_FIRST = 1024;
/** A row is 64 bytes: what is looked at for one posting stands together, in one line of the processor's cache. */
const WIDE = 8;
const HALVES = 16;
const TWO_TO_32 = 2 ** 32;
/** Numbers from -2^52 to below 2^52 are told from their halves. */
const HIGH_MAX = 2 ** 20;
/** Where the lower half of a 64-bit number stands on this machine. */
const LOW = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1 ? 0 : 1;
const HIGH = 1 - LOW;

/** Fields of 64 bits. The snapshot's height is a float; the others are integers. */
export const WIDE_FIELD = { posted: 0, held: 1, min: 2, max: 3, snapshotHeight: 4 } as const;
/** Fields of 32 bits. */
export const NARROW_FIELD = { flags: 10, book: 11, stretch: 12, currency: 13 } as const;

type Wide = Exclude<keyof typeof WIDE_FIELD, 'snapshotHeight'>;
type Narrow = keyof typeof NARROW_FIELD;

/** Rows of numbers, by slot, outside of the heap. */
export class AccountRows {
  #wide = new BigInt64Array(WIDE * ROWS_AT_FIRST);
  #halves = new Int32Array(this.#wide.buffer);
  #floats = new Float64Array(this.#wide.buffer);

  /** Makes sure that there is a row for this slot; what is new is zero. */
  reach(slot: number): void {
    if (WIDE * slot < this.#wide.length) return;
    this.#wide = widened(this.#wide, new BigInt64Array(2 * this.#wide.length));
    this.#halves = new Int32Array(this.#wide.buffer);
    this.#floats = new Float64Array(this.#wide.buffer);
  }

  wide(slot: number, field: Wide): bigint {
    return this.#wide[WIDE * slot + WIDE_FIELD[field]]!;
  }
  setWide(slot: number, field: Wide, value: bigint): void {
    this.#wide[WIDE * slot + WIDE_FIELD[field]] = value;
  }

  /** As a number; NaN when it is none that a number can tell, with room to add two of them. `field`: its place. */
  number(slot: number, field: number): number {
    const at = HALVES * slot + 2 * field;
    const high = this.#halves[at + HIGH]!;
    if (high >= HIGH_MAX || high < -HIGH_MAX) return Number.NaN;
    return high * TWO_TO_32 + (this.#halves[at + LOW]! >>> 0);
  }
  /** Sets a safe integer. */
  setNumber(slot: number, field: number, value: number): void {
    const at = HALVES * slot + 2 * field;
    this.#halves[at + LOW] = value;
    this.#halves[at + HIGH] = Math.floor(value / TWO_TO_32);
  }

  /** `field`: its place. */
  narrow(slot: number, field: number): number {
    return this.#halves[HALVES * slot + field]!;
  }
  setNarrow(slot: number, field: Narrow, value: number): void {
    this.#halves[HALVES * slot + NARROW_FIELD[field]] = value;
  }

  snapshotHeight(slot: number): number {
    return this.#floats[WIDE * slot + WIDE_FIELD.snapshotHeight]!;
  }
  setSnapshotHeight(slot: number, height: number): void {
    this.#floats[WIDE * slot + WIDE_FIELD.snapshotHeight] = height;
  }
}

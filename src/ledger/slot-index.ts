import { accountHash } from './account-hash.ts';
import type { AccountIds } from './account-ids.ts';
import { widened } from './columns.ts';

const SIZE_AT_FIRST = 2048;
const EMPTY = 0;

/**
 * Finds the slot of an account by its id: what a `Map` does, in an eighth of its memory and outside of the heap, as the
 * ids themselves are kept by whoever has the slots. Open addressing with linear probing, at most half full.
 */
export class SlotIndex {
  /** A slot and 1 at each place that is taken. */
  #places = new Int32Array(SIZE_AT_FIRST);
  /** By slot: the hash of its id, so that growing and removing need not compute it again. */
  #hashes: Uint32Array = new Uint32Array(SIZE_AT_FIRST >> 1);
  #size = 0;

  /** `ids`: has the id of each slot that is in here. */
  constructor(readonly ids: Pick<AccountIds, 'isAt'>) {}

  get size(): number {
    return this.#size;
  }

  /** The slot of an id, or -1. */
  find(id: string): number {
    const places = this.#places;
    const mask = places.length - 1;
    for (let at = hashOf(id) & mask; ; at = (at + 1) & mask) {
      const slot = places[at]! - 1;
      if (slot < 0 || this.ids.isAt(slot, id)) return slot;
    }
  }

  /** Adds a slot with its id, which is not in here. */
  add(slot: number, id: string): void {
    const hashes = this.#hashes;
    if (slot >= hashes.length) this.#hashes = widened(hashes, new Uint32Array(Math.max(slot + 1, hashes.length * 2)));
    this.#hashes[slot] = hashOf(id);
    if (++this.#size * 2 > this.#places.length) this.#grow();
    this.#put(slot);
  }

  /** Removes a slot that is in here. */
  remove(slot: number): void {
    const places = this.#places;
    const mask = places.length - 1;
    let at = this.#hashes[slot]! & mask;
    while (places[at] !== slot + 1) at = (at + 1) & mask;
    // Whoever probed past this place must be found without it.
    for (let next = (at + 1) & mask; places[next] !== EMPTY; next = (next + 1) & mask) {
      const home = this.#hashes[places[next]! - 1]! & mask;
      if (((next - home) & mask) < ((next - at) & mask)) continue;
      places[at] = places[next]!;
      at = next;
    }
    places[at] = EMPTY;
    this.#size--;
  }

  #put(slot: number): void {
    const places = this.#places;
    const mask = places.length - 1;
    let at = this.#hashes[slot]! & mask;
    while (places[at] !== EMPTY) at = (at + 1) & mask;
    places[at] = slot + 1;
  }

  #grow(): void {
    const before = this.#places;
    this.#places = new Int32Array(before.length * 2);
    for (const place of before) if (place !== EMPTY) this.#put(place - 1);
  }
}

function hashOf(id: string): number {
  return accountHash(id) >>> 0;
}

import { accountHash } from '../ledger/account-hash.ts';
import { widened } from '../ledger/columns.ts';

const SLOTS_AT_FIRST = 1024;
const BYTES_AT_FIRST = 1 << 15;
/** The start of an id that is not plain ASCII: it is kept as a text. */
const IN_TEXTS = 0xffff_ffff;
const ASCII_MAX = 0x7f;

/**
 * Numbers accounts, and finds their numbers by their ids, as texts or as the bytes in which they stand in a block. Ids are
 * kept one byte a character outside of the heap; open addressing with linear probing, at most half full. Some 35 bytes
 * an account, and its id.
 */
export class AccountIndex {
  #bytes = Buffer.alloc(BYTES_AT_FIRST);
  #end = 0;
  /** By slot, where its id begins and where it ends. */
  #spans = new Uint32Array(2 * SLOTS_AT_FIRST);
  /** At each place that is taken a slot and 1, and the lower half of the hash of its id. */
  #places = new Uint32Array(4 * SLOTS_AT_FIRST);
  readonly #texts = new Map<number, string>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The id in a slot. */
  id(slot: number): string {
    const start = this.#spans[2 * slot]!;
    if (start === IN_TEXTS) return this.#texts.get(slot)!;
    return this.#bytes.toString('latin1', start, this.#spans[2 * slot + 1]);
  }

  /** The slot of an id, or -1. */
  find(id: string): number {
    const places = this.#places;
    const hash = accountHash(id) >>> 0;
    const mask = places.length / 2 - 1;
    for (let at = hash & mask; ; at = (at + 1) & mask) {
      const slot = places[2 * at]! - 1;
      if (slot < 0 || (places[2 * at + 1] === hash && this.#isAt(slot, id))) return slot;
    }
  }

  /** The slot of an id of plain ASCII that stands in bytes, or -1. `hash`: its {@link accountHash}. */
  findBytes(bytes: Uint8Array, start: number, end: number, hash: number): number {
    const places = this.#places;
    const low = hash >>> 0;
    const mask = places.length / 2 - 1;
    for (let at = low & mask; ; at = (at + 1) & mask) {
      const slot = places[2 * at]! - 1;
      if (slot < 0 || (places[2 * at + 1] === low && this.#isBytesAt(slot, bytes, start, end))) return slot;
    }
  }

  /** Gives an id that is not in here the next slot. */
  add(id: string): number {
    const slot = this.#size++;
    if (2 * slot === this.#spans.length) this.#widen();
    this.#keep(slot, id);
    this.#put(slot, accountHash(id) >>> 0);
    return slot;
  }

  #keep(slot: number, id: string): void {
    if (!isAscii(id)) {
      this.#spans[2 * slot] = IN_TEXTS;
      this.#texts.set(slot, id);
      return;
    }
    if (this.#end + id.length > this.#bytes.length) {
      const longer = Buffer.alloc(2 * this.#bytes.length + id.length);
      this.#bytes.copy(longer);
      this.#bytes = longer;
    }
    this.#spans[2 * slot] = this.#end;
    this.#end += this.#bytes.write(id, this.#end, 'latin1');
    this.#spans[2 * slot + 1] = this.#end;
  }

  #isAt(slot: number, id: string): boolean {
    const start = this.#spans[2 * slot]!;
    if (start === IN_TEXTS) return this.#texts.get(slot) === id;
    if (this.#spans[2 * slot + 1]! - start !== id.length) return false;
    for (let i = 0; i < id.length; i++) if (this.#bytes[start + i] !== id.charCodeAt(i)) return false;
    return true;
  }

  #isBytesAt(slot: number, bytes: Uint8Array, from: number, to: number): boolean {
    const start = this.#spans[2 * slot]!;
    if (start === IN_TEXTS || this.#spans[2 * slot + 1]! - start !== to - from) return false;
    const own = this.#bytes;
    for (let i = from, at = start; i < to; i++, at++) if (own[at] !== bytes[i]) return false;
    return true;
  }

  #put(slot: number, hash: number): void {
    const places = this.#places;
    const mask = places.length / 2 - 1;
    let at = hash & mask;
    while (places[2 * at] !== 0) at = (at + 1) & mask;
    places[2 * at] = slot + 1;
    places[2 * at + 1] = hash;
  }

  #widen(): void {
    const places = this.#places;
    this.#spans = widened(this.#spans, new Uint32Array(2 * this.#spans.length));
    this.#places = new Uint32Array(2 * places.length);
    for (let at = 0; at < places.length; at += 2) if (places[at] !== 0) this.#put(places[at]! - 1, places[at + 1]!);
  }
}

function isAscii(id: string): boolean {
  for (let i = 0; i < id.length; i++) if (id.charCodeAt(i) > ASCII_MAX) return false;
  return true;
}

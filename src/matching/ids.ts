import { roomFor } from './columns.ts';
import { Texts } from './texts.ts';

const AT_FIRST = 1024;
const BYTES = 16;
const PREFIX = 'txn_';
const LENGTH = 40;
const DASH = 45;
/** Where the groups of a UUID in an id begin, each after a dash or the prefix. */
const GROUPS = [4, 13, 18, 23, 28, LENGTH + 1] as const;
/** A payment or transaction as others write it: without dashes, as bank references are short. */
const BORNE = /^(?:pay|txn)_?([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})$/i;

/** Ids of transactions by number, 16 bytes each, and found again by their UUID. Outside of the heap. */
export class Ids {
  #bytes = new Uint8Array(BYTES * AT_FIRST);
  /** Those of another form. */
  readonly #others = new Map<number, number>();
  readonly #texts = new Texts();
  #places = new Int32Array(4 * AT_FIRST);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(id: string): number {
    const at = this.#size++;
    this.#bytes = roomFor(this.#bytes, BYTES * at + BYTES - 1);
    if (writeUuid(this.#bytes, BYTES * at, id)) {
      if (2 * this.#size > this.#places.length) this.#grow();
      else this.#put(at);
    } else {
      this.#others.set(at, this.#texts.add(id));
    }
    return at;
  }

  get(at: number): string {
    const other = this.#others.get(at);
    if (other !== undefined) return this.#texts.get(other);
    const hex = Buffer.from(this.#bytes.buffer, BYTES * at, BYTES).toString('hex');
    return `${PREFIX}${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  }

  /** The first one whose UUID a text bears, as its transaction or payment; -1: none. */
  borneBy(text: string): number {
    if (text.length < 35 || text.length > 40) return -1;
    const parts = BORNE.exec(text);
    if (parts === null) return -1;
    const wanted = new Uint8Array(BYTES);
    writeHex(wanted, 0, parts.slice(1).join('').toLowerCase());
    const mask = this.#places.length - 1;
    for (let place = hashOf(wanted, 0) & mask; ; place = (place + 1) & mask) {
      const at = this.#places[place]! - 1;
      if (at < 0 || this.#isAt(at, wanted)) return at;
    }
  }

  #isAt(at: number, wanted: Uint8Array): boolean {
    for (let i = 0; i < BYTES; i++) if (this.#bytes[BYTES * at + i] !== wanted[i]) return false;
    return true;
  }

  #put(at: number): void {
    const mask = this.#places.length - 1;
    let place = hashOf(this.#bytes, BYTES * at) & mask;
    while (this.#places[place] !== 0) place = (place + 1) & mask;
    this.#places[place] = at + 1;
  }

  #grow(): void {
    this.#places = new Int32Array(2 * this.#places.length);
    for (let at = 0; at < this.#size; at++) if (!this.#others.has(at)) this.#put(at);
  }
}

/** False: it is not `txn_` and a UUID in lower case. */
function writeUuid(to: Uint8Array, start: number, id: string): boolean {
  if (id.length !== LENGTH || !id.startsWith(PREFIX)) return false;
  let at = start;
  for (let group = 0; group < GROUPS.length - 1; group++) {
    if (group > 0 && id.charCodeAt(GROUPS[group]! - 1) !== DASH) return false;
    const end = GROUPS[group + 1]! - 1;
    for (let i = GROUPS[group]!; i < end; i += 2) {
      const high = digit(id.charCodeAt(i));
      const low = digit(id.charCodeAt(i + 1));
      if (high < 0 || low < 0) return false;
      to[at++] = 16 * high + low;
    }
  }
  return true;
}

function writeHex(to: Uint8Array, at: number, hex: string): void {
  for (let i = 0; i < BYTES; i++) to[at + i] = 16 * digit(hex.charCodeAt(2 * i)) + digit(hex.charCodeAt(2 * i + 1));
}

/** Negative: it is no hexadecimal digit in lower case. */
function digit(code: number): number {
  if (code >= 48 && code <= 57) return code - 48;
  return code >= 97 && code <= 102 ? code - 87 : -1;
}

/** The last bytes of a UUIDv7 are random. */
function hashOf(bytes: Uint8Array, at: number): number {
  const low = bytes[at + 12]! | (bytes[at + 13]! << 8) | (bytes[at + 14]! << 16) | (bytes[at + 15]! << 24);
  const high = bytes[at + 8]! | (bytes[at + 9]! << 8) | (bytes[at + 10]! << 16) | (bytes[at + 11]! << 24);
  return Math.imul(low ^ Math.imul(high, 0x9e3779b1), 0x85ebca6b) >>> 0;
}

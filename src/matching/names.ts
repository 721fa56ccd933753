import { Texts } from './texts.ts';

const SIZE_AT_FIRST = 4096;

/** Texts that are each there once, by a number. Outside of the heap. */
export class Names {
  readonly #texts = new Texts();
  /** A number and 1 at each place that is taken; open addressing, at most half full. */
  #places = new Int32Array(SIZE_AT_FIRST);

  get size(): number {
    return this.#texts.size;
  }

  get(name: number): string {
    return this.#texts.get(name);
  }

  /** The number of a text, or -1. */
  find(text: string): number {
    return this.#places[this.#placeOf(text)]! - 1;
  }

  /** The number of a text, which is added when it is not there. */
  add(text: string): number {
    const place = this.#placeOf(text);
    const known = this.#places[place]! - 1;
    if (known >= 0) return known;
    const name = this.#texts.add(text);
    if (2 * this.size > this.#places.length) this.#grow();
    else this.#places[place] = name + 1;
    return name;
  }

  #placeOf(text: string): number {
    const mask = this.#places.length - 1;
    for (let at = hashOf(text) & mask; ; at = (at + 1) & mask) {
      const name = this.#places[at]! - 1;
      if (name < 0 || this.#texts.isAt(name, text)) return at;
    }
  }

  #grow(): void {
    this.#places = new Int32Array(2 * this.#places.length);
    for (let name = 0; name < this.size; name++) this.#places[this.#placeOf(this.get(name))] = name + 1;
  }
}

/** FNV-1a over the UTF-16 code units, finished as in MurmurHash3. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

import { roomFor } from './columns.ts';

const CHUNK_BITS = 20;
const CHUNK_BYTES = 1 << CHUNK_BITS;
const CHUNK_MASK = CHUNK_BYTES - 1;
const AT_FIRST = 1024;
const LATIN_MAX = 0xff;
/** Of a length: two bytes a character. */
const WIDE = 0x8000;

/**
 * Texts outside of the heap, in the order in which they are added: one byte a character where all are Latin-1, else two.
 * As strings a million of them would take twice as much, and the garbage collector would look at each. A text has at
 * most 32,767 bytes, all together 4 GiB.
 */
export class Texts {
  readonly #chunks: Buffer[] = [];
  #end = 0;
  #starts = new Uint32Array(AT_FIRST);
  #lengths = new Uint16Array(AT_FIRST);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Answers its number: they are counted from 0. */
  add(text: string): number {
    const index = this.#size++;
    this.#starts = roomFor(this.#starts, index);
    this.#lengths = roomFor(this.#lengths, index);
    const isWide = !isLatin(text);
    const bytes = isWide ? 2 * text.length : text.length;
    const at = this.#roomFor(bytes);
    const chunk = this.#chunks[at >>> CHUNK_BITS]!;
    chunk.write(text, at & CHUNK_MASK, isWide ? 'utf16le' : 'latin1');
    this.#starts[index] = at;
    this.#lengths[index] = isWide ? bytes | WIDE : bytes;
    return index;
  }

  get(index: number): string {
    const start = this.#starts[index]!;
    const length = this.#lengths[index]!;
    const from = start & CHUNK_MASK;
    const chunk = this.#chunks[start >>> CHUNK_BITS];
    if (chunk === undefined) return '';
    if (length < WIDE) return chunk.toString('latin1', from, from + length);
    return chunk.toString('utf16le', from, from + (length - WIDE));
  }

  isAt(index: number, text: string): boolean {
    const length = this.#lengths[index]!;
    if (length >= WIDE) return length - WIDE === 2 * text.length && this.get(index) === text;
    if (length !== text.length) return false;
    if (length === 0) return true;
    const start = this.#starts[index]!;
    const chunk = this.#chunks[start >>> CHUNK_BITS]!;
    const from = start & CHUNK_MASK;
    for (let i = 0; i < length; i++) if (chunk[from + i] !== text.charCodeAt(i)) return false;
    return true;
  }

  /** A text stands in one chunk as a whole. */
  #roomFor(bytes: number): number {
    if (bytes >= WIDE) throw new RangeError(`a text of ${bytes} bytes is too long`);
    const left = CHUNK_BYTES - (this.#end & CHUNK_MASK);
    const at = bytes > left ? this.#end + left : this.#end;
    if (bytes > 0 && at >>> CHUNK_BITS === this.#chunks.length) {
      this.#chunks.push(Buffer.allocUnsafeSlow(CHUNK_BYTES));
    }
    this.#end = at + bytes;
    return at;
  }
}

function isLatin(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > LATIN_MAX) return false;
  return true;
}

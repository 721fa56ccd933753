import { widened } from './columns.ts';

const BYTES_AT_FIRST = 1 << 15;
const SLOTS_AT_FIRST = 1024;
const LENGTH_MAX = 0xffff;
const IN_WORDS = 0xffff_ffff;
const ASCII = 0x80;

/**
 * The id of each account in memory, by its slot: one byte a character, outside of the heap. As strings they would take
 * twice as much, and the garbage collector would look at each. Ids that are not ASCII are kept as they are.
 */
export class AccountIds {
  #bytes = Buffer.alloc(BYTES_AT_FIRST);
  /** Where the id of a slot begins; `IN_WORDS`: it is in `#words`. */
  #starts = new Uint32Array(SLOTS_AT_FIRST);
  #lengths = new Uint16Array(SLOTS_AT_FIRST);
  readonly #words = new Map<number, string>();
  /** Bytes taken, and how many of them are those of ids that are gone. */
  #end = 0;
  #gone = 0;

  /** The id of a slot that has one. */
  get(slot: number): string {
    const start = this.#starts[slot]!;
    if (start === IN_WORDS) return this.#words.get(slot)!;
    return this.#bytes.toString('latin1', start, start + this.#lengths[slot]!);
  }

  isAt(slot: number, id: string): boolean {
    const start = this.#starts[slot]!;
    if (start === IN_WORDS) return this.#words.get(slot) === id;
    if (this.#lengths[slot] !== id.length) return false;
    const bytes = this.#bytes;
    for (let i = 0; i < id.length; i++) if (bytes[start + i] !== id.charCodeAt(i)) return false;
    return true;
  }

  /** Gives a slot another id, or its first. */
  set(slot: number, id: string): void {
    if (slot >= this.#starts.length) this.#addSlots(slot);
    this.#forget(slot);
    if (id.length > LENGTH_MAX || !isAscii(id)) {
      this.#starts[slot] = IN_WORDS;
      this.#words.set(slot, id);
      return;
    }
    if (this.#end + id.length > this.#bytes.length) this.#makeRoom(id.length);
    this.#starts[slot] = this.#end;
    this.#lengths[slot] = id.length;
    this.#end += this.#bytes.write(id, this.#end, 'latin1');
  }

  #forget(slot: number): void {
    this.#gone += this.#lengths[slot]!;
    this.#lengths[slot] = 0;
    this.#words.delete(slot);
  }

  #addSlots(slot: number): void {
    const length = Math.max(slot + 1, 2 * this.#starts.length);
    this.#starts = widened(this.#starts, new Uint32Array(length));
    this.#lengths = widened(this.#lengths, new Uint16Array(length));
  }

  /** Packs the ids closely, in as much as they need and a half more for those to come. */
  #makeRoom(wanted: number): void {
    const from = this.#bytes;
    const needed = this.#end - this.#gone + wanted;
    this.#bytes = Buffer.alloc(Math.ceil(1.5 * needed));
    this.#end = 0;
    this.#gone = 0;
    for (let slot = 0; slot < this.#starts.length; slot++) {
      const start = this.#starts[slot]!;
      if (start === IN_WORDS) continue;
      this.#starts[slot] = this.#end;
      this.#end += from.copy(this.#bytes, this.#end, start, start + this.#lengths[slot]!);
    }
  }
}

function isAscii(id: string): boolean {
  for (let i = 0; i < id.length; i++) if (id.charCodeAt(i) >= ASCII) return false;
  return true;
}

import { accountHash } from '../ledger/account-hash.ts';
import { widened } from '../ledger/columns.ts';

const AT_FIRST = 1024;

/**
 * The accounts that a block posts to, in the order in which they are met, each with its hash and the last entry that posts
 * to it: what the block is to be indexed by. Columns, used again for each block.
 */
export class TouchedAccounts {
  /** By slot of an account: the number of the block, so that nothing has to be cleared, and its place here. */
  #slots = new Uint32Array(2 * AT_FIRST);
  #blocks = 0;
  #hashes = new Float64Array(AT_FIRST);
  #last = new Int32Array(AT_FIRST);
  size = 0;

  clear(): void {
    this.size = 0;
    this.#blocks = (this.#blocks + 1) >>> 0;
    // After four thousand million blocks the numbers begin again.
    if (this.#blocks === 0) this.#slots.fill(0);
  }

  take(slot: number, hash: number, entry: number): void {
    if (2 * slot >= this.#slots.length) this.#slots = widened(this.#slots, new Uint32Array(4 * (slot + 1)));
    if (this.#slots[2 * slot] === this.#blocks) {
      this.#last[this.#slots[2 * slot + 1]!] = entry;
      return;
    }
    const place = this.size++;
    this.#slots[2 * slot] = this.#blocks;
    this.#slots[2 * slot + 1] = place;
    if (place === this.#hashes.length) {
      this.#hashes = widened(this.#hashes, new Float64Array(2 * place));
      this.#last = widened(this.#last, new Int32Array(2 * place));
    }
    this.#hashes[place] = hash;
    this.#last[place] = entry;
  }

  takeText(slot: number, account: string, entry: number): void {
    this.take(slot, accountHash(account), entry);
  }

  /** Of the account at a place; NaN: there is none. */
  hash(place: number): number {
    return place < this.size ? this.#hashes[place]! : Number.NaN;
  }
  last(place: number): number {
    return place < this.size ? this.#last[place]! : Number.NaN;
  }
}

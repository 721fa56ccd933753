import { Ids } from '../matching/ids.ts';

/** Ids of items that are settled already: 16 bytes each, as there may be millions. */
export class SettledIds {
  readonly #ids = new Ids();
  /** Of second movements of a transaction. */
  readonly #others = new Set<string>();

  add(id: string): void {
    if (id.includes('#')) this.#others.add(id);
    else this.#ids.add(id);
  }

  has(id: string): boolean {
    return id.includes('#') ? this.#others.has(id) : this.#ids.borneBy(id) >= 0;
  }
}

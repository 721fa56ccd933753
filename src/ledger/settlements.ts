import type { Settlement } from './types.ts';

/**
 * How commands of one book are settled, as far as it is in memory; null: no entry speaks of it. Bounded by `trim`, which
 * forgets those that were longest without use.
 */
export class Settlements {
  readonly #known = new Map<string, Settlement | null>();

  isKnown(id: string): boolean {
    return this.#known.has(id);
  }

  /** Undefined: it is not known. */
  get(id: string): Settlement | null | undefined {
    return this.#known.get(id);
  }

  /** Undefined: it is not known any more. */
  set(id: string, settlement: Settlement | null | undefined): void {
    this.#known.delete(id);
    if (settlement !== undefined) this.#known.set(id, settlement);
  }

  trim(most: number): void {
    for (const id of this.#known.keys()) {
      if (this.#known.size <= most) return;
      this.#known.delete(id);
    }
  }
}

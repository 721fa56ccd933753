import type { Task } from './task.ts';
import type { Placed } from './types.ts';

interface Recent {
  readonly fingerprint: string;
  readonly placed: Placed;
  readonly bytes: number;
}

/** The last outcomes by key, so that a quick repetition costs no look-up. Outcomes never change: it cannot be stale. */
export class RecentOutcomes {
  readonly #byKey = new Map<string, Recent>();
  /** The keys in a ring from `#oldest` on: a Map that is emptied from its front gets slow to iterate. */
  readonly #ring: string[] = [];
  #oldest = 0;
  #bytes = 0;

  /** Holds at most `capacity` outcomes, and of these at most `bytesMax` estimated bytes. */
  constructor(
    readonly capacity: number,
    readonly bytesMax: number,
  ) {}

  get size(): number {
    return this.#byKey.size;
  }

  get(key: string): Recent | undefined {
    return this.#byKey.get(key);
  }

  add({ command: { key, fingerprint }, bytes }: Pick<Task, 'command' | 'bytes'>, placed: Placed): void {
    if (this.capacity === 0 || bytes > this.bytesMax || this.#byKey.has(key)) return;
    while (this.size === this.capacity || this.#bytes + bytes > this.bytesMax) this.#dropOldest();
    this.#ring[(this.#oldest + this.size) % this.capacity] = key;
    this.#byKey.set(key, { fingerprint, placed, bytes });
    this.#bytes += bytes;
  }

  #dropOldest(): void {
    const key = this.#ring[this.#oldest]!;
    this.#bytes -= this.#byKey.get(key)!.bytes;
    this.#byKey.delete(key);
    this.#oldest = (this.#oldest + 1) % this.capacity;
  }
}

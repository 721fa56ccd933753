import type { Runtime } from './ports.ts';

/**
 * How long to wait before the next attempt, in milliseconds: doubles with each failure in a row up to `maxMs`, and is
 * drawn from its upper half, so that many who failed together do not come back together.
 *
 * `failures` counts from 1; `random` is from 0 to 1.
 */
export function backoffMs(failures: number, baseMs: number, maxMs: number, random = Math.random()): number {
  const ceiling = Math.min(maxMs, baseMs * 2 ** Math.min(failures - 1, 30));
  return ceiling * (0.5 + random / 2);
}

/** Waits longer each time, with jitter, up to a limit. */
export class Backoff {
  #failures = 0;
  constructor(
    readonly runtime: Runtime,
    readonly firstMs: number,
    readonly mostMs: number,
  ) {}

  reset(): void {
    this.#failures = 0;
  }

  async wait(): Promise<void> {
    const ms = backoffMs(++this.#failures, this.firstMs, this.mostMs, this.runtime.random());
    await this.runtime.sleep(ms);
  }
}

import type { Runtime } from './ports.ts';

/** Waits longer each time, with jitter, up to a limit. */
export class Backoff {
  #next: number;
  constructor(
    readonly runtime: Runtime,
    readonly firstMs: number,
    readonly mostMs: number,
  ) {
    this.#next = firstMs;
  }

  reset(): void {
    this.#next = this.firstMs;
  }

  async wait(): Promise<void> {
    const ms = this.#next * (0.5 + this.runtime.random() / 2);
    this.#next = Math.min(this.mostMs, this.#next * 2);
    await this.runtime.sleep(ms);
  }
}

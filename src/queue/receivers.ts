import { backoffMs } from '../ledger/retry.ts';
import { pause } from './pause.ts';

const RETRY_BASE_MS = 200;
const RETRY_MAX_MS = 20_000;

export interface ReceiversDeps {
  /** Receives at most ten messages and takes them in hand. @returns How many; null: the queue could not be reached. */
  receive(): Promise<number | null>;
  /** May one more receive begin while so many are under way? */
  mayBegin(underWay: number): boolean;
  readonly receiversMax: number;
  /** Messages that one receive brings at most. */
  readonly batchMax: number;
}

/**
 * Receives that are under way at once: one while the queue is nearly empty, one more for each that comes back full, one
 * fewer for each that comes back empty, and a single one, with pauses, while the queue cannot be reached.
 */
export class Receivers {
  readonly #deps: ReceiversDeps;
  readonly #stopping = new AbortController();
  #wanted = 1;
  #underWay = 0;
  #failures = 0;
  #ended: (() => void) | null = null;

  constructor(deps: ReceiversDeps) {
    this.#deps = deps;
  }

  get underWay(): number {
    return this.#underWay;
  }

  /** Begins what may begin. To be called whenever that may have changed. */
  pump(): void {
    const { mayBegin } = this.#deps;
    while (!this.#stopping.signal.aborted && this.#underWay < this.#wanted && mayBegin(this.#underWay)) {
      this.#underWay++;
      void this.#receive();
    }
  }

  /** Begins no more; resolves when none is under way. Those that wait for messages are not cut off. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    if (this.#underWay > 0) await new Promise<void>((resolve) => (this.#ended = resolve));
  }

  async #receive(): Promise<void> {
    const received = await this.#deps.receive();
    if (received === null) {
      this.#wanted = 1;
      // The last of them tries again; the others end at once.
      if (this.#underWay === 1)
        await pause(backoffMs(++this.#failures, RETRY_BASE_MS, RETRY_MAX_MS), this.#stopping.signal);
    } else {
      this.#failures = 0;
      if (received === this.#deps.batchMax) this.#wanted = Math.min(this.#deps.receiversMax, this.#wanted + 1);
      else if (received === 0) this.#wanted = Math.max(1, this.#wanted - 1);
    }
    this.#underWay--;
    if (this.#underWay === 0) this.#ended?.();
    this.pump();
  }
}

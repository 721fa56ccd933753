/** What a process needs before it may run: its coordinate, and the lease of its host. */
import { pause, unlessAborted } from './pause.ts';
import type { ProcessSpec } from './spec.ts';
import type { TableOptions } from './table.ts';
import type { Announcement } from './types.ts';

const LEASE_ASKED_MS = 100;

/** Of one coordinate. */
export class Rights {
  readonly #coordinate: string;
  readonly #options: Pick<TableOptions, 'announce' | 'lease'>;
  #announcement: Announcement | null = null;

  constructor(coordinate: string, options: Pick<TableOptions, 'announce' | 'lease'>) {
    this.#coordinate = coordinate;
    this.#options = options;
  }

  /** Begins to claim it, where that is the agent's to do. */
  claim({ claim }: ProcessSpec): void {
    if (claim === 'agent') this.#announcement ??= this.#options.announce(this.#coordinate);
  }

  /** Resolves when the coordinate is its own, or can be, where the process itself claims it. @throws Interrupted */
  async held(spec: ProcessSpec, signal: AbortSignal): Promise<void> {
    // The process could not get what the agent has.
    if (spec.claim === 'process') return this.release();
    this.claim(spec);
    await unlessAborted(this.#announcement!.held(signal), signal);
  }

  /** Resolves when it may run. @throws Interrupted */
  async leased(spec: ProcessSpec, signal: AbortSignal): Promise<void> {
    while (this.leaseMs(spec) === 0) await pause(LEASE_ASKED_MS, signal);
  }

  /** For how long it may run from now on; null: it needs no lease. */
  leaseMs({ claim, cutoff }: ProcessSpec): number | null {
    if (cutoff === 'run') return null;
    const hostMs = this.#options.lease.heldForMs();
    const ms = claim === 'process' ? hostMs : Math.min(hostMs, this.#announcement?.heldForMs() ?? 0);
    return Math.max(0, ms);
  }

  publish(...what: Parameters<Announcement['publish']>): void {
    this.#announcement?.publish(...what);
  }

  async release(): Promise<void> {
    const announcement = this.#announcement;
    this.#announcement = null;
    await announcement?.release();
  }
}

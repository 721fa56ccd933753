import type { Log } from '../processes/types.ts';
import { keepDesired, readDesired } from './desired.ts';
import type { HostDesired } from './types.ts';

/**
 * What is wanted of the host: as the configuration of its coordinate says, or as it said last. What cannot be read changes
 * nothing.
 */
export class Following {
  readonly #folder: string;
  readonly #want: (desired: HostDesired) => void;
  readonly #log: Log;
  readonly #stored: HostDesired | null;
  /** Of the configuration, as seen last; null: not seen yet. */
  #text: string | null = null;
  /** The last one that was read, right or wrong. */
  #read: string | null = null;
  #followed: HostDesired | null = null;
  #problem: string | null = null;
  #isOwner = false;
  #isDisplaced = false;
  #keeping: Promise<void> = Promise.resolve();

  /**
   * @param stored What was followed before this agent; null: nothing was.
   * @param want Is told what is wanted from now on.
   */
  constructor(folder: string, stored: HostDesired | null, want: (desired: HostDesired) => void, log: Log) {
    this.#folder = folder;
    this.#stored = stored;
    this.#want = want;
    this.#log = log;
  }

  /** Null: nothing is followed yet. */
  get generation(): number | null {
    return this.#followed?.generation ?? null;
  }

  /** What is wrong with the configuration as it stands now, for people; null: nothing. */
  get problem(): string | null {
    return this.#problem;
  }

  /** Nothing new is followed while the coordinate is another agent's. */
  owns(isOwner: boolean): void {
    this.#isOwner = isOwner;
    this.#isDisplaced = !isOwner;
    if (this.#isOwner) this.#follow();
  }

  configured(text: string): void {
    this.#text = text;
    this.#follow();
  }

  /** ZooKeeper took too long: what was wanted last is wanted on. */
  fallBack(): void {
    if (this.#followed !== null || this.#stored === null || this.#isDisplaced) return;
    this.#log.warn({ generation: this.#stored.generation }, 'following what was wanted last');
    this.#take(this.#stored);
  }

  /** Resolves when what is followed is kept for the next agent. */
  async kept(): Promise<void> {
    await this.#keeping;
  }

  /** Before the coordinate is its own only one that followed it before does, as it may be held by its last session still. */
  get #mayFollow(): boolean {
    return this.#isOwner || (!this.#isDisplaced && this.#stored !== null);
  }

  #follow(): void {
    const text = this.#text;
    if (text === null || text === this.#read || !this.#mayFollow) return;
    this.#read = text;
    if (text.trim() === '') this.#empty();
    else this.#parse(text);
  }

  #empty(): void {
    const last = this.#followed ?? this.#stored;
    this.#problem = null;
    if (last === null) return;
    this.#wrong(`it is empty, though generation ${last.generation} was followed`);
    this.fallBack();
  }

  #parse(text: string): void {
    let desired: HostDesired;
    try {
      desired = readDesired(text);
    } catch (error) {
      this.#wrong((error as Error).message);
      this.fallBack();
      return;
    }
    this.#problem = null;
    this.#take(desired);
    this.#keep(desired);
  }

  #wrong(why: string): void {
    this.#problem = `The configuration of the coordinate cannot be followed, and all stays as it is: ${why}`;
    this.#log.error({}, this.#problem);
  }

  #take(desired: HostDesired): void {
    this.#followed = desired;
    this.#log.info({ generation: desired.generation, count: desired.processes.length }, 'processes are wanted');
    this.#want(desired);
  }

  #keep(desired: HostDesired): void {
    this.#keeping = this.#keeping
      .then(() => keepDesired(this.#folder, desired))
      .catch((error: unknown) => {
        this.#log.error({ err: error }, 'what is wanted cannot be kept for when ZooKeeper is away');
      });
  }
}

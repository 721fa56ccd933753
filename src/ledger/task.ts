import { estimatedBytes } from './command.ts';
import type { Progress } from './progress.ts';
import type { Command, Outcome, Placed } from './types.ts';

/**
 * - `queued`: nothing was written for it yet.
 * - `claiming`: its claim is on the way; it may or may not be there.
 * - `claimed`: it will end in exactly one entry in each book that it touches.
 * - `settled`: its entry stands, or it was refused.
 */
export type TaskState = 'queued' | 'claiming' | 'claimed' | 'settled';

interface Waiter {
  /** Waits to go on with its own work, not to have the command carried out. */
  readonly onlyWatches: boolean;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (error: Error) => void;
  readonly replayed: boolean;
}

/** A claim of this process, until each of its commands is settled. */
export interface OpenClaim {
  readonly id: string;
  /** How many of its commands are not. */
  left: number;
}

/** One command on its way through this process, and the callers that wait for its outcome. */
export class Task {
  state: TaskState = 'queued';
  /** What each book has to do, and how far it is; null until the accounts were looked up, and after the end. */
  progress: Progress | null = null;
  /** Given up while it stands nowhere: its only possible outcome is the rejection `expired`. */
  expired = false;
  /** When it was claimed, in milliseconds since the epoch; 0: it is not. */
  claimedAt = 0;
  /** Counts how often it was handed over to another process; odd while it is there. */
  handOvers = 0;
  /** Nobody else carries it on: this process appends it to whatever book it touches. */
  isAlone = false;
  /** The claim of this process that it is in; null: none, or that of another. */
  claim: OpenClaim | null = null;
  readonly bytes: number;
  #waiters: Waiter[] = [];

  constructor(
    readonly command: Command,
    /** When its callers are told that they have waited long enough; each new caller moves it on. */
    public deadline: number,
    /** From when on it is carried out only if somebody asks for it again. Both in ms of `Runtime.elapsed`. */
    readonly staleAt: number,
  ) {
    this.bytes = estimatedBytes(command);
  }

  get isHandedOver(): boolean {
    return this.handOvers % 2 === 1;
  }

  get isAwaited(): boolean {
    return this.#waiters.length > 0;
  }

  /** Is it old, and nobody is there who asked for it? */
  isGivenUp(elapsed: number): boolean {
    return elapsed >= this.staleAt && this.#waiters.every(({ onlyWatches }) => onlyWatches);
  }

  wait(replayed: boolean): Promise<Outcome> {
    return this.#wait({ replayed, onlyWatches: false });
  }

  /** The outcome, for whoever drives the command on and does not ask for it. */
  watch(): Promise<Outcome> {
    return this.#wait({ replayed: true, onlyWatches: true });
  }

  #wait(waiter: Pick<Waiter, 'replayed' | 'onlyWatches'>): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject, ...waiter });
    });
  }

  /** Hands all callers to another task that has the same command. */
  moveWaitersTo(other: Task): void {
    for (const waiter of this.#waiters) other.#waiters.push({ ...waiter, replayed: true });
    this.#waiters = [];
  }

  answer(placed: Placed, replayed = false): void {
    const { entry, book, height, at } = placed;
    for (const waiter of this.#waiters) {
      waiter.resolve({ entry, book, height, at, replayed: replayed || waiter.replayed });
    }
    this.#waiters = [];
  }

  refuse(error: Error): void {
    for (const waiter of this.#waiters) waiter.reject(error);
    this.#waiters = [];
  }
}

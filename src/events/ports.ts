/** What events need of the storage and of those who take them. `src/mongo` and `src/queue` implement these. */
import type { ViewPosition } from '../payments/ports.ts';
import type { EventView } from './types.ts';

/** Up to where each book has been told. Any number of processes may write it at once. */
export interface Progress {
  position(book: number): Promise<ViewPosition>;
  /** Everything above the position up to a height is told. Not counted when somebody else is further. */
  moveOn(book: number, from: ViewPosition, height: number): Promise<void>;
}

/** The right to do something that one process is to do at a time. */
export interface Lease {
  /** Takes it, or keeps it for longer. False: somebody else has it. */
  hold(): Promise<boolean>;
  /** Is it ours for sure, by this machine's clock? */
  isHeld(): boolean;
  /** Lets others have it at once. */
  release(): Promise<void>;
}

/** Whoever takes events and keeps them from then on. */
export interface EventSink {
  /**
   * Resolves once all are taken; events of one group in their order, and the next only after the one before was taken.
   * Sends nothing further when `mayGoOn` says no, and rejects then, as it does when the other side takes them no longer.
   */
  send(events: readonly EventView[], mayGoOn: () => boolean): Promise<void>;
}

/** What events need of the storage and of those who take them. `src/mongo` and `src/queue` implement these. */
import type { ViewPosition } from '../payments/ports.ts';
import type { Standing } from './outbox.ts';
import type { EventView, Notice, NoticeBlock, StoredNotice } from './types.ts';

/** Where notices are written. */
export interface NoticeLog {
  /**
   * Appends notices, in their order and durably on a majority. `batch` names them for ever: appending the same once more,
   * at once or after a crash in between, adds only what is still missing, so that each has one event with one id; what else
   * is given under a name that is taken is not written. Throws a RangeError, and writes nothing, for what could not be
   * sent: a source that is not 1 to 113 visible characters of ASCII, an object of more than 24 KiB as JSON. Faults of the
   * storage leave open what was written: append the same again.
   */
  append(batch: string, notices: readonly Notice[]): Promise<void>;
}

/** Where notices are read. All reads are majority reads. */
export interface NoticeReader {
  /** The blocks from a height on, `limit` at most. */
  read(fromHeight: number, limit: number): Promise<NoticeBlock[]>;
  /** The height of the last block at or before a time in ms, which may be infinite; 0: none. */
  heightAt(at: number): Promise<number>;
  /** By the ids of their events; `index` is not told (0). */
  findNotices(ids: readonly string[]): Promise<Standing<StoredNotice>[]>;
}

/** Up to where each stream has been told. Any number of processes may write it at once. */
export interface Progress {
  position(stream: number): Promise<ViewPosition>;
  /** Everything above the position up to a height is told. Not counted when somebody else is further. */
  moveOn(stream: number, from: ViewPosition, height: number): Promise<void>;
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

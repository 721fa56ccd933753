import { type FollowerOptions, firstBooks, type IsOurs } from '../payments/follower.ts';
import { transactionOf } from '../payments/ids.ts';
import type { BlockReader, JournalQueries } from '../payments/ports.ts';
import { eventsOf } from './build.ts';
import type { ReadUpTo } from './cursor.ts';
import { noticeEvent } from './notices.ts';
import { BlockOutbox, Outbox, type Some, type Teller, type Telling } from './outbox.ts';
import type { NoticeReader } from './ports.ts';
import { type EventView, NOTICES, type StoredNotice } from './types.ts';

interface Journal extends BlockReader, Pick<JournalQueries, 'findEntries' | 'heightAt'> {
  /** The books that have a block, in order. */
  books(): Promise<number[]>;
}

/** All that is told of: each book of the journal, and the log of notices as one stream more. */
export class EventStreams implements Teller {
  readonly #ofBooks: Outbox;
  readonly #ofNotices: BlockOutbox<StoredNotice>;

  constructor(
    readonly journal: Journal,
    readonly notices: NoticeReader,
    /** About so many entries are read together. */
    entriesAtOnce?: number,
  ) {
    this.#ofBooks = new Outbox(journal, entriesAtOnce);
    this.#ofNotices = new BlockOutbox(
      { read: (_, fromHeight, limit) => notices.read(fromHeight, limit) },
      async (blocks) => blocks.map((entries) => entries.map(noticeEvent)),
      entriesAtOnce,
    );
  }

  /** Those that may hold something by now, in order. */
  async all(): Promise<number[]> {
    return [...(await this.journal.books()), NOTICES];
  }

  /** The height of the last block of a stream at or before a time in ms; 0: none. */
  heightAt(stream: number, at: number): Promise<number> {
    return stream === NOTICES ? this.notices.heightAt(at) : this.journal.heightAt(stream, at);
  }

  after(stream: number, height: number): Promise<Telling> {
    return this.#of(stream).after(stream, height);
  }

  some(stream: number, from: ReadUpTo, max: number): Promise<Some> {
    return this.#of(stream).some(stream, from, max);
  }

  /** Events by their ids; those that are nowhere are missing. */
  async find(ids: readonly string[]): Promise<Map<string, EventView>> {
    const transactions = ids.map(transactionOf).filter((id) => id !== null);
    const parts = await this.journal.findEntries(transactions);
    // Where in its block each stands is not shown.
    const placed = parts.map((part) => ({ ...part, index: 0 }));
    const events = (await eventsOf([placed], this.journal)).flat().filter((event) => event !== null);
    const found = new Map(events.map((event) => [event.id, event]));
    const missing = ids.filter((id) => !found.has(id));
    if (missing.length === 0) return found;
    for (const notice of await this.notices.findNotices(missing)) found.set(notice.entry.id, noticeEvent(notice));
    return found;
  }

  #of(stream: number): Teller {
    return stream === NOTICES ? this.#ofNotices : this.#ofBooks;
  }
}

/** What tells events on follows: so many books, and the notices, which belong to whoever the first book belongs to. */
export function followedStreams(books: number, isOurs: IsOurs): Pick<FollowerOptions, 'books' | 'isOurs'> {
  return {
    books: [...firstBooks(books), NOTICES],
    isOurs: (stream) => isOurs(stream === NOTICES ? 0 : stream),
  };
}

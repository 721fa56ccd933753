import { PaymentsError } from '../payments/types.ts';
import { Cursor, type ReadUpTo } from './cursor.ts';
import type { NoticeReader } from './ports.ts';
import { EventStreams } from './streams.ts';
import { type EventType, type EventView, NOTICES } from './types.ts';

/** For one page, of all streams, each of which is read once: a filter that fits little must not read the whole journal. */
const READS_MAX = 100;
const STREAMS_AT_ONCE = 8;
/** Read of each stream at once, and so many times a page of all streams together: many that are far behind must fit. */
const ENTRIES_MIN = 50;
const PAGES_AT_ONCE = 4;
/** Of a stream, when a filter asks for some of them. */
const ENTRIES_AT_ONCE = 500;

export interface EventFilter {
  readonly types?: readonly EventType[] | undefined;
  /** Whose money it is about. */
  readonly account?: string | undefined;
}

export interface EventPageQuery extends EventFilter {
  readonly limit: number;
  /** Where the page before ended. */
  readonly cursor?: string | undefined;
  /** Where to begin without a cursor. By default with the first event of all. */
  readonly createdFrom?: Date | undefined;
  /** Leaves out what no journal tells of: that is not for everybody. */
  readonly isJournalOnly?: boolean | undefined;
}

export interface EventPage {
  /** Oldest first; in each stream, and so in each group, as they happened. May hold fewer than asked for, or none. */
  readonly data: readonly EventView[];
  /** Is there more by now? */
  readonly hasMore: boolean;
  /** Where to go on, now or later. */
  readonly nextCursor: string;
}

/** What HTTP needs of events. */
export interface Events {
  /** Throws {@link PaymentsError} `invalid_cursor`. */
  page(query: EventPageQuery): Promise<EventPage>;
  /** Throws {@link PaymentsError} `not_found`. */
  get(id: string): Promise<EventView>;
}

/**
 * Events straight from the journal and the log of notices. A cursor knows how far each stream was read, so whoever goes on
 * from one misses nothing and gets nothing twice, whatever the clocks of those who write say.
 */
export class EventFeed implements Events {
  readonly #streams: EventStreams;

  constructor(journal: EventStreams['journal'], notices: NoticeReader) {
    this.#streams = new EventStreams(journal, notices, ENTRIES_AT_ONCE);
  }

  async page({ limit, cursor, createdFrom, isJournalOnly, ...filter }: EventPageQuery): Promise<EventPage> {
    const all = await this.#streams.all();
    const streams = isJournalOnly ? all.filter((stream) => stream !== NOTICES) : all;
    const from = cursor === undefined ? await this.#startAt(streams, createdFrom) : Cursor.parse(cursor);
    if (from === null) throw new PaymentsError('invalid_cursor', 'the cursor is none that a page of events has given');
    const entries = Math.max(ENTRIES_MIN, Math.ceil((PAGES_AT_ONCE * limit) / all.length));
    const readings = streams.map((stream) => new Reading(stream, from.of(stream), filter, entries));
    const data: EventView[] = [];
    for (let reads = 0; ; ) {
      const empty = readings.filter((reading) => reading.needsMore);
      if (empty.length > 0) {
        // What comes next of the others may be younger than what these hold.
        if (reads >= READS_MAX) break;
        reads += empty.length;
        await inTurns(empty, (reading) => reading.readOn(this.#streams));
        continue;
      }
      const next = oldest(readings);
      if (next === null || data.length === limit) break;
      data.push(next.take());
    }
    const hasMore = readings.some((reading) => reading.needsMore || reading.next !== null);
    const reached = new Map([...from.streams, ...readings.map(({ stream, upTo }) => [stream, upTo] as const)]);
    return { data, hasMore, nextCursor: String(new Cursor(reached)) };
  }

  async get(id: string): Promise<EventView> {
    const event = (await this.find([id])).get(id);
    if (!event) throw new PaymentsError('not_found', `there is no event ${id}`);
    return event;
  }

  /** Those that are nowhere are missing. */
  find(ids: readonly string[]): Promise<Map<string, EventView>> {
    return this.#streams.find(ids);
  }

  /** With all that happened before a time behind it. */
  async #startAt(streams: readonly number[], time: Date | undefined): Promise<Cursor> {
    if (time === undefined) return new Cursor(new Map());
    const heightAt = async (stream: number) => {
      const height = await this.#streams.heightAt(stream, time.getTime() - 1);
      return [stream, { height, index: 0 }] as const;
    };
    return new Cursor(new Map(await Promise.all(streams.map(heightAt))));
  }
}

/** A stream that is read, and what was read of it and not yet given out. */
class Reading {
  #events: EventView[] = [];
  #isAtTip = false;
  /** Where to read on, and how far it is given out once all that was read is. */
  #readTo: ReadUpTo;

  constructor(
    readonly stream: number,
    /** Everything up to here was given out, or is not asked for. */
    public upTo: ReadUpTo,
    readonly filter: EventFilter,
    readonly entriesMax: number,
  ) {
    this.#readTo = upTo;
  }

  get needsMore(): boolean {
    return this.#events.length === 0 && !this.#isAtTip;
  }

  get next(): EventView | null {
    return this.#events[0] ?? null;
  }

  async readOn(streams: EventStreams): Promise<void> {
    // Of what is asked for by a filter there may be little among many.
    const max = this.#isFiltered ? ENTRIES_AT_ONCE : this.entriesMax;
    const { events, upTo, isAtTip } = await streams.some(this.stream, this.#readTo, max);
    this.#events = events.filter((event) => isAskedFor(event, this.filter));
    this.#isAtTip = isAtTip;
    this.#readTo = upTo;
    if (this.#events.length === 0) this.upTo = upTo;
  }

  get #isFiltered(): boolean {
    return this.filter.types !== undefined || this.filter.account !== undefined;
  }

  take(): EventView {
    const event = this.#events.shift()!;
    this.upTo = this.#events.length === 0 ? this.#readTo : placeAfter(event);
    return event;
  }
}

function placeAfter({ height, index }: EventView): ReadUpTo {
  return { height: height - 1, index: index + 1 };
}

function isAskedFor({ type, accounts }: EventView, filter: EventFilter): boolean {
  if (filter.types !== undefined && !filter.types.includes(type)) return false;
  return filter.account === undefined || accounts.includes(filter.account);
}

function oldest(readings: readonly Reading[]): Reading | null {
  let first: Reading | null = null;
  for (const reading of readings) {
    if (reading.next && (!first?.next || reading.next.createdAt < first.next.createdAt)) first = reading;
  }
  return first;
}

async function inTurns<T>(all: readonly T[], work: (one: T) => Promise<void>): Promise<void> {
  for (let i = 0; i < all.length; i += STREAMS_AT_ONCE) await Promise.all(all.slice(i, i + STREAMS_AT_ONCE).map(work));
}

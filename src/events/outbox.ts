import type { Entry } from '../ledger/types.ts';
import { BlockBatches } from '../payments/block-batches.ts';
import type { BlockReader } from '../payments/ports.ts';
import { type EntryLookup, eventsOf } from './build.ts';
import type { ReadUpTo } from './cursor.ts';
import type { EventView } from './types.ts';

/** What is to be told of some blocks of a stream. */
export interface Telling {
  readonly events: readonly EventView[];
  /** Up to this height nothing further is to be told. */
  readonly upTo: number;
  /** Is there nothing further in the stream, for now? */
  readonly isAtTip: boolean;
  /** What happened before this time is told with it, ms since the epoch; null: all that has happened by now. */
  readonly before: number | null;
}

/** The same of some entries: it may end within a block. */
export interface Some extends Pick<Telling, 'events' | 'isAtTip'> {
  readonly upTo: ReadUpTo;
}

/** Tells of what stands in streams, by their numbers. */
export interface Teller {
  /**
   * The events of the next blocks above a height, in their order. It goes no further than to a command that is still on
   * its way between books, as what comes after it in the book is to be told after it.
   */
  after(stream: number, height: number): Promise<Telling>;
  /** The same of the next `max` entries, for whoever wants few: each costs looking up what belongs to it. */
  some(stream: number, from: ReadUpTo, max: number): Promise<Some>;
}

/** An entry, and where it stands. */
export interface Standing<One> {
  readonly entry: One;
  /** Number of the stream. */
  readonly book: number;
  readonly height: number;
  /** ms since the epoch. */
  readonly at: number;
  /** Place in its block, from 0. */
  readonly index: number;
}

interface Block<One> extends Pick<Standing<One>, 'height' | 'at'> {
  readonly entries: readonly One[];
}

/** A block, or the first entries of one. */
type Part<One> = Block<Standing<One>>;

interface Blocks<One> {
  read(stream: number, fromHeight: number, limit: number): Promise<Block<One>[]>;
}

/** The events of the entries of some blocks; null in the place of one that cannot be told of yet. */
type MakeEvents<One> = (blocks: readonly (readonly Standing<One>[])[]) => Promise<(EventView | null)[][]>;

/** Reads what is to be told from blocks, from where whoever asks has stopped. */
export class BlockOutbox<One> implements Teller {
  readonly #batches: BlockBatches<Block<One>>;

  constructor(
    blocks: Blocks<One>,
    readonly make: MakeEvents<One>,
    /** About so many are read together. */
    entriesAtOnce?: number,
  ) {
    this.#batches = new BlockBatches(blocks, entriesAtOnce);
  }

  async after(stream: number, height: number): Promise<Telling> {
    const { blocks, isAtTip } = await this.#batches.after(stream, height);
    const { told, stopped } = await this.#tell(blocks.map((block) => partOf(stream, block)));
    const last = blocks[told.length - 1];
    return {
      events: told.flat(),
      upTo: last?.height ?? height,
      // Whoever is on its way arrives soon, but not at once.
      isAtTip: isAtTip || stopped,
      before: isAtTip && !stopped ? null : (last ?? blocks[0])!.at,
    };
  }

  async some(stream: number, from: ReadUpTo, max: number): Promise<Some> {
    const { blocks, isAtTip } = await this.#batches.after(stream, from.height);
    const read = blocks.map((block) => partOf(stream, block));
    const { parts, cut } = cutAfter(read, from, max);
    const { told, stopped } = await this.#tell(parts);
    const events = told.flat();
    if (cut !== null && !stopped) return { events, upTo: cut, isAtTip: false };
    const last = parts[told.length - 1];
    return { events, upTo: last ? { height: last.height, index: 0 } : from, isAtTip: isAtTip || stopped };
  }

  /** The events of each part up to the one with a command that is on its way. */
  async #tell(parts: readonly Part<One>[]): Promise<{ told: EventView[][]; stopped: boolean }> {
    const made = await this.make(parts.map(({ entries }) => entries));
    const stop = made.findIndex((events) => events.includes(null));
    return { told: (stop === -1 ? made : made.slice(0, stop)) as EventView[][], stopped: stop !== -1 };
  }
}

/** Reads what is to be told straight from the journal: nothing else has to be written with a payment, or kept. */
export class Outbox extends BlockOutbox<Entry> {
  constructor(
    readonly journal: BlockReader & EntryLookup,
    entriesAtOnce?: number,
  ) {
    super(journal, (blocks) => eventsOf(blocks, journal), entriesAtOnce);
  }
}

function partOf<One>(book: number, { entries, height, at }: Block<One>): Part<One> {
  return { height, at, entries: entries.map((entry, index) => ({ entry, book, height, at, index })) };
}

/** The next `max` entries beyond a place. `cut`: where they end, when that is within a block. */
function cutAfter<One>(
  blocks: readonly Part<One>[],
  from: ReadUpTo,
  max: number,
): { parts: Part<One>[]; cut: ReadUpTo | null } {
  const parts: Part<One>[] = [];
  let left = max;
  for (const block of blocks) {
    const entries = block.height === from.height + 1 ? block.entries.slice(from.index) : block.entries;
    parts.push({ ...block, entries: entries.slice(0, left) });
    const next = entries[left];
    if (next) return { parts, cut: { height: block.height - 1, index: next.index } };
    left -= entries.length;
  }
  return { parts, cut: null };
}

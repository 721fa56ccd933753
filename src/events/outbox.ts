import type { StoredBlock } from '../ledger/types.ts';
import { BlockBatches } from '../payments/block-batches.ts';
import type { BlockReader, PlacedAt } from '../payments/ports.ts';
import { type EntryLookup, eventsOf } from './build.ts';
import type { ReadUpTo } from './cursor.ts';
import type { EventView } from './types.ts';

/** What is to be told of some blocks of a book. */
export interface Telling {
  readonly events: readonly EventView[];
  /** Up to this height nothing further is to be told. */
  readonly upTo: number;
  /** Is there nothing further in the book, for now? */
  readonly isAtTip: boolean;
  /** What happened before this time is told with it, ms since the epoch; null: all that has happened by now. */
  readonly before: number | null;
}

/** The same of some entries: it may end within a block. */
export interface Some extends Pick<Telling, 'events' | 'isAtTip'> {
  readonly upTo: ReadUpTo;
}

/** A block, or the first entries of one. */
interface Part extends Pick<StoredBlock, 'height' | 'at'> {
  readonly entries: readonly PlacedAt[];
}

/** Reads what is to be told straight from the journal: nothing else has to be written with a payment, or kept. */
export class Outbox {
  readonly #batches: BlockBatches;

  constructor(
    readonly journal: BlockReader & EntryLookup,
    /** About so many are read together. */
    entriesAtOnce?: number,
  ) {
    this.#batches = new BlockBatches(journal, entriesAtOnce);
  }

  /**
   * The events of the next blocks above a height, in their order. It goes no further than to a command that is still on
   * its way between books, as what comes after it in the book is to be told after it.
   */
  async after(book: number, height: number): Promise<Telling> {
    const { blocks, isAtTip } = await this.#batches.after(book, height);
    const { told, stopped } = await this.#tell(blocks.map(partOf));
    const last = blocks[told.length - 1];
    return {
      events: told.flat(),
      upTo: last?.height ?? height,
      // Whoever is on its way arrives soon, but not at once.
      isAtTip: isAtTip || stopped,
      before: isAtTip && !stopped ? null : (last ?? blocks[0])!.at,
    };
  }

  /** The same of the next `max` entries, for whoever wants few: each costs looking up what belongs to it. */
  async some(book: number, from: ReadUpTo, max: number): Promise<Some> {
    const { blocks, isAtTip } = await this.#batches.after(book, from.height);
    const { parts, cut } = cutAfter(blocks.map(partOf), from, max);
    const { told, stopped } = await this.#tell(parts);
    const events = told.flat();
    if (cut !== null && !stopped) return { events, upTo: cut, isAtTip: false };
    const last = parts[told.length - 1];
    return { events, upTo: last ? { height: last.height, index: 0 } : from, isAtTip: isAtTip || stopped };
  }

  /** The events of each part up to the one with a command that is on its way. */
  async #tell(parts: readonly Part[]): Promise<{ told: EventView[][]; stopped: boolean }> {
    const made = await eventsOf(
      parts.map(({ entries }) => entries),
      this.journal,
    );
    const stop = made.findIndex((events) => events.includes(null));
    return { told: (stop === -1 ? made : made.slice(0, stop)) as EventView[][], stopped: stop !== -1 };
  }
}

function partOf({ entries, book, height, at }: StoredBlock): Part {
  return { height, at, entries: entries.map((entry, index) => ({ entry, book, height, at, index })) };
}

/** The next `max` entries beyond a place. `cut`: where they end, when that is within a block. */
function cutAfter(blocks: readonly Part[], from: ReadUpTo, max: number): { parts: Part[]; cut: ReadUpTo | null } {
  const parts: Part[] = [];
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

import { randomUUID } from 'node:crypto';
import type { Collection, Db, FindOptions } from 'mongodb';
import type { ViewName, ViewPosition } from '../payments/ports.ts';
import { isDuplicate } from './duplicates.ts';

const CHECKPOINTS = 'checkpoints';

/**
 * `{_id: '<view>:<book>', height, epoch, clearing?}`; documents of before there were epochs have none. `clearing`: what was
 * written in this epoch may be removed again.
 */
interface Checkpoint {
  _id: string;
  height: number;
  epoch?: string | null;
  clearing?: true;
}

/**
 * Up to which height of each book something that is written behind the journal is complete. Any number of processes may
 * write it at once: a checkpoint only moves on from where the writer knows it complete, within one epoch. An epoch ends
 * when the view is cleared, so that nobody counts what was written before as if it were still there.
 */
export class Checkpoints {
  readonly #checkpoints: Collection<Checkpoint>;

  constructor(
    db: Db,
    readonly view: ViewName,
  ) {
    this.#checkpoints = db.collection(CHECKPOINTS);
  }

  async position(book: number): Promise<ViewPosition> {
    const _id = this.#id(book);
    const found = (await this.#checkpoints.findOne({ _id })) ?? (await this.#begin(_id));
    return { height: Number(found.height), epoch: found.epoch ?? null };
  }

  /** Everything above the position up to a height is written. Not counted when somebody else is further, or cleared it. */
  async moveOn(book: number, from: ViewPosition, height: number): Promise<void> {
    const reached = { _id: this.#id(book), epoch: from.epoch, height: { $gte: from.height, $lt: height } };
    await this.#checkpoints.updateOne(reached, { $set: { height } });
  }

  /** Of those books that were begun. */
  async heights(books: readonly number[], options: FindOptions = {}): Promise<Map<number, number>> {
    const found = await this.#find(books, options);
    return new Map([...found].map(([book, { height }]) => [book, Number(height)]));
  }

  /** Up to where nothing is missing for sure, also while the view is being cleared. Of those books that were begun. */
  async reliableHeights(books: readonly number[], options: FindOptions = {}): Promise<Map<number, number>> {
    const found = await this.#find(books, options);
    return new Map([...found].map(([book, { height, clearing }]) => [book, clearing ? 0 : Number(height)]));
  }

  /** Runs `clear` such that nothing that it removes counts as written afterwards. */
  async restart(clear: () => Promise<unknown>): Promise<void> {
    await this.#newEpoch({ $set: { clearing: true } });
    await clear();
    // Some may have begun anew meanwhile, and what they wrote may have been removed as well.
    await this.#newEpoch({ $unset: { clearing: 1 } });
  }

  async #find(books: readonly number[], options: FindOptions): Promise<Map<number, Checkpoint>> {
    const ids = new Map(books.map((book) => [this.#id(book), book]));
    const found = await this.#checkpoints.find({ _id: { $in: [...ids.keys()] } }, options).toArray();
    return new Map(found.map((checkpoint) => [ids.get(checkpoint._id)!, checkpoint]));
  }

  async #newEpoch(more: { $set: { clearing: true } } | { $unset: { clearing: 1 } }): Promise<void> {
    const books = { _id: { $regex: `^${this.view}:` } };
    const $set = { height: 0, epoch: randomUUID(), ...('$set' in more && more.$set) };
    await this.#checkpoints.updateMany(books, { ...more, $set });
  }

  async #begin(_id: string): Promise<Checkpoint> {
    try {
      await this.#checkpoints.insertOne({ _id, height: 0, epoch: randomUUID() });
    } catch (error) {
      // Somebody else began it.
      if (!isDuplicate(error)) throw error;
    }
    const begun = await this.#checkpoints.findOne({ _id });
    if (!begun) throw new Error(`checkpoint ${_id} was just written, and is not there`);
    return begun;
  }

  #id(book: number): string {
    return `${this.view}:${book}`;
  }
}
